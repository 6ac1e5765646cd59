-- What all of them have in common.

if data[4] and data[4] ~= FORMAT then return { 'format', data[4] } end
if cmd == 'hello' then return run.hello() end
if generation == 0 then
  new_generation(false)
elseif known > generation then
  -- The data is older than what this node has seen.
  new_generation(true)
end
local CHANGES = { join = 1, leave = 1, away = 1, back = 1, update = 1, signal = 1, lock = 1, ban = 1, kick = 1 }
local EARLY = { settled = 1, mine = 1, owned = 1, reap = 1 }
local change = CHANGES[cmd]
if known ~= generation or (left() > 0 and ((change and cmd ~= 'join') or EARLY[cmd])) then
  return { 'generation', generation, left() }
end
if not change then return run[cmd]() end

-- One that was refused, such as for lack of memory, must not be overtaken by the next; nor may what is left of a connection that
-- was given up come in between.
local line = call('HGET', P .. 'line', me)
local last_connection, last = 0, 0
if line then last_connection, last = int(line:sub(1, 16)), int(line:sub(17)) end
local follows = (connection == last_connection and sequence == last + 1) or (connection > last_connection and sequence == 1)
if not follows then return { 'order' } end
call('HSET', P .. 'line', me, hex(connection) .. hex(sequence))
local room = P .. 'room:' .. name
local done = call('HGET', room, 'd:' .. me)
if done and number <= int(done) then
  -- A repeated one.
  if cmd == 'join' and call('HEXISTS', P .. 'seats:' .. name, ARGV[FIRST]) == 1 then return run.join() end
  return { cmd == 'join' and 'gone' or 'done' }
end
if left() == 0 then settle(load(name)) end
local answer = run[cmd]()
if call('EXISTS', room) == 1 then call('HSET', room, 'd:' .. me, hex(number)) end
return answer
