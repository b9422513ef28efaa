-- One order per request, over 10,000 sessions, or as many as SESSIONS says. With IDS=1 in the environment each event carries an id of its own.
local counter, start = 0, tostring(os.time()) .. tostring(math.random(1000000))
local ids = os.getenv("IDS") == "1"
local sessions = tonumber(os.getenv("SESSIONS") or "10000")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
local before = '{"source":{"id":"shop"},"session":{"id":"5b2c1d9e-77aa-4c1e-9f10-%08d"},'
  .. '"context":{"page":{"url":"https://shop.example/checkout/thank-you","title":"Thank you"},"screen":{"width":1440,"height":900},"locale":"en-GB"},'
  .. '"events":[{%s"type":"order-completed","properties":{"order":"A-%d","total":49.5,"tier":"gold","currency":"EUR","items":[{"sku":"nike-42","quantity":1,"price":49.5}]}}],'
  .. '"options":{}}'
function request()
  counter = counter + 1
  local id = ""
  if ids then id = string.format('"id":"%s-%08d-%06d",', start, counter, math.random(999999)) end
  return wrk.format(nil, nil, nil, string.format(before, counter % sessions, id, counter))
end
local bad = 0
function response(status) if status ~= 200 then bad = bad + 1 end end
