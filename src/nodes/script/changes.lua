-- Commands.

local run = {}

function run.join()
  local peer, text, who, present, cap, rooms, wants = unpack(ARGV, FIRST)
  if left() > 0 then return { 'unavailable', left() } end
  local r = load(name)
  if not r then
    if call('SCARD', P .. 'rooms') >= tonumber(rooms) then return { 'room_limit' } end
    r = create(name, false)
  end
  local function joined() return wants == '1' and { 'joined', snapshot(r) } or { 'joined' } end
  local seats = P .. 'seats:' .. name
  if call('HEXISTS', seats, peer) == 1 then return joined() end
  local ghosts = {}
  if who ~= '' then
    ghosts = find(r, function(seat) return seat.who == who and (seat.away or present == '1') end)
  end
  local banned = who ~= '' and int(call('HGET', P .. 'bans:' .. name, who) or '0') or 0
  local refused
  if banned > now then
    refused = { 'banned', banned - now }
  elseif r.locked and #ghosts == 0 then
    refused = { 'locked' }
  elseif call('HLEN', seats) - #ghosts >= tonumber(cap) then
    refused = { 'full' }
  end
  if refused then
    end_if_empty(r)
    return refused
  end
  for _, ghost in ipairs(ghosts) do remove(r, ghost[1], 'R') end
  text = text:sub(1, 2) .. hex(r.n + 1) .. text:sub(19)
  put(r, peer, text)
  own(r, me, 1)
  call('ZREM', P .. 'kept', name)
  append(r, 'J', peer .. text)
  return joined()
end

-- The room and the seat, if it is this node's.
local function owned(peer)
  local r = load(name)
  local text = r and call('HGET', P .. 'seats:' .. name, peer)
  local seat = text and parse(text)
  if not seat or seat.owner ~= me then return nil end
  return r, text, seat
end

function run.leave()
  local r = owned(ARGV[FIRST])
  if r then
    remove(r, ARGV[FIRST], ARGV[FIRST + 1])
    end_if_empty(r)
  end
  return { 'done' }
end

function run.away()
  local r, text, seat = owned(ARGV[FIRST])
  if r and not seat.away then
    put(r, ARGV[FIRST], text:sub(1, 1) .. '1' .. text:sub(3, 34) .. ARGV[FIRST + 1] .. text:sub(51))
    append(r, 'A', ARGV[FIRST] .. ARGV[FIRST + 1])
  end
  return { 'done' }
end

function run.back()
  local r, text, seat = owned(ARGV[FIRST])
  if r and seat.away then
    put(r, ARGV[FIRST], text:sub(1, 1) .. '0' .. text:sub(3))
    append(r, 'B', ARGV[FIRST])
  end
  return { 'done' }
end

function run.update()
  local r, text, seat = owned(ARGV[FIRST])
  if r then
    local user = text:sub(seat.profile, seat.profile + 3)
    local ends = seat.profile + 3 + (user == 'ffff' and 0 or int(user))
    put(r, ARGV[FIRST], text:sub(1, ends) .. fmt('%08x', #ARGV[FIRST + 1]) .. ARGV[FIRST + 1])
    append(r, 'U', ARGV[FIRST] .. ARGV[FIRST + 1])
  end
  return { 'done' }
end

function run.signal()
  local r = load(name)
  if not r then return { 'gone' } end
  append(r, 'G', ARGV[FIRST])
  return { 'sent', r.life, hex(r.n) }
end

function run.lock()
  local r = load(name)
  if not r then return { 'gone' } end
  r.locked, r.kept = ARGV[FIRST] == '1', now + KEEP_MS
  append(r, 'K', ARGV[FIRST])
  r.said_life, r.said_n = r.life, r.n
  save(r)
  return { 'done' }
end

function run.ban()
  local r = load(name)
  if not r then return { 'gone' } end
  local who, bans = ARGV[FIRST], P .. 'bans:' .. name
  local ends = math.max(now + tonumber(ARGV[FIRST + 1]), int(call('HGET', bans, who) or '0'))
  r.kept = now + KEEP_MS
  append(r, 'N', who .. hex(ends))
  call('HSET', bans, who, hex(ends))
  if call('HLEN', bans) > BANS then
    local all, first = call('HGETALL', bans), nil
    for at = 1, #all, 2 do
      if not first or int(all[at + 1]) < first[2] then first = { all[at], int(all[at + 1]) } end
    end
    call('HDEL', bans, first[1])
  end
  for _, banned in ipairs(find(r, function(seat) return seat.who == who end)) do remove(r, banned[1], 'K') end
  end_if_empty(r)
  return { 'done' }
end

function run.kick()
  local r = load(name)
  if not r then return { 'gone' } end
  for at = FIRST, #ARGV do remove(r, ARGV[at], 'K') end
  end_if_empty(r)
  return { 'done' }
end
