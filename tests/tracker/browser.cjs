// Runs steps in Chromium for tests: `node browser.cjs CHROMIUM`. Each line of standard input is {"code", "values"}: the
// body of an async function that gets `browser`, `kept` (an object for what later steps need) and the values by their
// names. Each line of standard output is {"result"} or {"error"}. It ends with its input.
const { createInterface } = require('node:readline');
const { chromium } = require('playwright-core');

const AsyncFunction = (async () => {}).constructor;
const args = ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];

async function main() {
  const browser = await chromium.launch({ executablePath: process.argv[2], args });
  const kept = {};
  for await (const line of createInterface({ input: process.stdin })) {
    const { code, values } = JSON.parse(line);
    let answer;
    try {
      const step = new AsyncFunction('browser', 'kept', ...Object.keys(values), code);
      answer = { result: (await step(browser, kept, ...Object.values(values))) ?? null };
    } catch (error) {
      answer = { error: String(error.stack) };
    }
    console.log(JSON.stringify(answer));
  }
  await browser.close();
}

main();
