-- Leases: incarnation, heartbeats, the time of the last one.

local function lease(node)
  local text = call('HGET', P .. 'leases', node)
  if not text then return nil end
  return { incarnation = int(text:sub(1, 16)), count = int(text:sub(17, 32)), at = int(text:sub(33)) }
end

-- A process begins. It gets an incarnation that its name has not had, whatever its clock says.
function run.hello()
  local incarnation, node = int(ARGV[FIRST]), ARGV[FIRST + 1]
  local before = lease(node)
  if before then
    incarnation = math.max(incarnation, before.incarnation + 1)
    call('HDEL', P .. 'line', hex(before.incarnation) .. fmt('%02x', #node) .. node)
  end
  call('HSET', P .. 'leases', node, hex(incarnation) .. hex(0) .. hex(now))
  return { 'hello', hex(incarnation) }
end

local function forget_leases()
  local all, answer = call('HGETALL', P .. 'leases'), {}
  for at = 1, #all, 2 do
    local node, of = all[at], lease(all[at])
    local key = hex(of.incarnation) .. fmt('%02x', #node) .. node
    if now - of.at > FORGET_MS and call('SISMEMBER', P .. 'owners', key) == 0 then
      call('HDEL', P .. 'leases', node)
      call('HDEL', P .. 'line', key)
    else
      answer[#answer + 1] = node
      answer[#answer + 1] = all[at + 1]
    end
  end
  return answer
end

function run.beat()
  local incarnation, node = int(me:sub(1, 16)), me:sub(19)
  local before = lease(node)
  if before and before.incarnation > incarnation then return { 'superseded' } end
  local count = before and before.incarnation == incarnation and before.count or 0
  call('HSET', P .. 'leases', node, hex(incarnation) .. hex(count + 1) .. hex(now))
  for _, room in ipairs(call('ZRANGEBYSCORE', P .. 'kept', '-inf', now, 'LIMIT', 0, 16)) do
    local r = load(room)
    if r then end_if_empty(r) else call('ZREM', P .. 'kept', room) end
  end
  return { 'beat', forget_leases(), left() > 0 and {} or call('SMEMBERS', P .. 'owners') }
end

function run.reap()
  local dead, kind, count, final, away_until = unpack(ARGV, FIRST)
  local r = load(name)
  local incarnation, of = int(dead:sub(1, 16)), lease(dead:sub(19))
  local of_it = of and of.incarnation == incarnation and hex(of.count) or ''
  local holds = kind == 'silent' and of_it == count
  if kind == 'successor' then holds = of and of.incarnation > incarnation end
  if not r or not holds then return { 'done' } end
  local over, away = {}, {}
  for _, found in ipairs(find(r, function(seat) return seat.owner == dead end)) do
    local seat = found[4]
    if final == '1' or not seat.resumable then
      over[#over + 1] = found[1]
    elseif not seat.away then
      away[#away + 1] = found
    end
  end
  if #over > 0 then call('SADD', P .. 'reaped:' .. name, dead) end
  for _, peer in ipairs(over) do remove(r, peer, 'T', dead) end
  local ends = hex(now + tonumber(away_until))
  for _, found in ipairs(away) do
    local text = found[3]
    put(r, found[1], text:sub(1, 1) .. '1' .. text:sub(3, 34) .. ends .. text:sub(51))
    append(r, 'A', found[1] .. ends)
  end
  end_if_empty(r)
  return { 'done' }
end
