// Opens a page in Chromium and has it send the calls of a script: `node browser.cjs CHROMIUM PAGE`.
// The first line of standard input is the script. When the calls are made it says so. The page stays open until the
// input ends, since most clients cannot tell when they have delivered everything. Exits with 1 if the page fails.
const { createHash } = require('node:crypto');
const { createInterface } = require('node:readline');
const { chromium } = require('playwright-core');

const [executablePath, address] = process.argv.slice(2);
const args = ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];

async function main() {
  const lines = createInterface({ input: process.stdin });
  const ended = new Promise((resolve) => lines.once('close', resolve));
  const script = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)));
  const browser = await chromium.launch({ executablePath, args });
  const page = await browser.newPage();
  page.on('pageerror', fail);
  page.on('console', (message) => console.error(message.text()));
  await page.exposeFunction('md5', (text) => createHash('md5').update(text).digest('hex'));
  await page.goto(address);
  await page.evaluate((given) => window.drive(given), script);
  console.log('driven');
  await ended;
  await browser.close();
}

function fail(error) {
  console.error(error);
  process.exitCode = 1;
}

main().catch((error) => {
  fail(error);
  process.exit(1);
});
