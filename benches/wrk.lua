-- For wrk: `wrk … -s benches/wrk.lua URL -- DEPTH`.
-- With a DEPTH above 1, every write carries that many requests (HTTP/1.1 pipelining).
-- At the end one line of exact numbers, so that scripts need not read wrk's prose.

function init(args)
   local depth = tonumber(args[1]) or 1
   if depth > 1 then
      local batch = string.rep(wrk.format(), depth)
      -- Without this function wrk formats one request once, and calls nothing per request.
      request = function() return batch end
   end
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '\nWRK {"requests": %d, "seconds": %f, ' ..
      '"connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}\n',
      summary.requests, summary.duration / 1e6,
      e.connect, e.read, e.write, e.timeout, e.status))
end
