-- All that nodes ask of Redis. A command runs whole or not at all, and what it changes in a room is entries of the room's log.
-- tools/cluster-model/src/redis is the same in Rust, played against a naive model.
--
-- Keys: <prefix>:data (generation), :leases, :line (how far each node's line has come), :rooms, :kept (empty rooms with a lock or
-- bans, by their end), :owners, :owned:<owner>; and for each room :room:, :seats:, :log:, :bans:, :reaped:, :left:, :stood:,
-- :settled:. Channel: <prefix>:log:<room>.
-- What is compared by number is written in 16 hex digits: a Lua number is exact to 53 bits only, and prints no more than 14 digits.
local P = '${prefix}:'
local FORMAT, ASSERT_MS, KEEP_MS, LOG_MS = '${format}', ${assert_ms}, ${keep_ms}, ${log_ms}
local LOG_ENTRIES, LOG_BYTES, BANS, FORGET_MS = ${log_entries}, ${log_bytes}, ${bans}, ${forget_ms}

local call, fmt = redis.call, string.format
local cmd, known, me, number, connection, sequence, seed, name = unpack(ARGV, 1, 8)
known, number, connection, sequence = tonumber(known), tonumber(number), tonumber(connection), tonumber(sequence)
local FIRST = 9
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function hex(value) return fmt('%016x', value) end
local function int(text) return tonumber(text, 16) end
-- Lives and tags have 64 bits: halves are compared.
local function less(a, b)
  local high_a, high_b = int(a:sub(1, 8)), int(b:sub(1, 8))
  if high_a ~= high_b then return high_a < high_b end
  return int(a:sub(9)) < int(b:sub(9))
end
local function later(life_a, n_a, life_b, n_b)
  return less(life_b, life_a) or (life_a == life_b and n_a > n_b)
end

-- Generations.

local data = call('HMGET', P .. 'data', 'generation', 'until', 'forked', 'format')
local generation, assert_until, forked = tonumber(data[1] or '0'), tonumber(data[2] or '0'), data[3] == '1'
local function left() return math.max(0, math.min(assert_until, now + ASSERT_MS) - now) end

local NOTHING = '0000000000000000'
local PARTS = { 'room:', 'seats:', 'log:', 'bans:', 'reaped:', 'left:', 'stood:', 'settled:' }
local function drop(room)
  for _, part in ipairs(PARTS) do call('DEL', P .. part .. room) end
  call('SREM', P .. 'rooms', room)
  call('ZREM', P .. 'kept', room)
end

local function new_life()
  return fmt('%08x%08x', generation, call('HINCRBY', P .. 'data', 'lives', 1))
end

local function is_void(room, locked)
  if locked then return false end
  local bans = call('HVALS', P .. 'bans:' .. room)
  for _, ends in ipairs(bans) do
    if int(ends) > now then return false end
  end
  return true
end

local function new_generation(is_forked)
  generation, forked = math.max(known, generation, math.floor(now / 1000) - 1) + 1, is_forked
  assert_until = now + ASSERT_MS
  call('DEL', P .. 'data')
  call('HSET', P .. 'data', 'generation', fmt('%.0f', generation), 'until', fmt('%.0f', assert_until), 'forked',
    forked and '1' or '0', 'lives', '0', 'format', FORMAT)
  for _, owner in ipairs(call('SMEMBERS', P .. 'owners')) do call('DEL', P .. 'owned:' .. owner) end
  call('DEL', P .. 'owners')
  for _, room in ipairs(call('SMEMBERS', P .. 'rooms')) do
    local was = call('HMGET', P .. 'room:' .. room, 'n', 'locked', 'said_life', 'said_n', 'kept')
    local nobody = call('EXISTS', P .. 'reaped:' .. room) == 0 and is_void(room, was[2] == '1')
    if nobody or not was[1] then
      drop(room)
    else
      -- All seats are asserted by their owners.
      for _, part in ipairs({ 'room:', 'seats:', 'log:', 'left:', 'stood:', 'settled:' }) do
        call('DEL', P .. part .. room)
      end
      call('HSET', P .. 'room:' .. room, 'life', new_life(), 'n', was[1], 'tag', NOTHING, 'bytes', '0', 'unsettled', '1',
        'locked', was[2], 'said_life', was[3], 'said_n', was[4], 'kept', was[5], 'best_life', NOTHING, 'best_n', NOTHING,
        'behind', '0')
    end
  end
end

-- Rooms.

local function load(room)
  local v = call('HMGET', P .. 'room:' .. room, 'life', 'n', 'tag', 'bytes', 'unsettled', 'locked', 'said_life', 'said_n',
    'kept', 'best_life', 'best_n', 'behind')
  if not v[1] then return nil end
  return { name = room, life = v[1], n = int(v[2]), tag = v[3], bytes = tonumber(v[4]), unsettled = v[5] == '1',
    locked = v[6] == '1', said_life = v[7], said_n = int(v[8]), kept = int(v[9]), best_life = v[10], best_n = int(v[11]),
    behind = tonumber(v[12]) }
end

local function save(r)
  call('HSET', P .. 'room:' .. r.name, 'life', r.life, 'n', hex(r.n), 'tag', r.tag, 'bytes', fmt('%.0f', r.bytes),
    'unsettled', r.unsettled and '1' or '0', 'locked', r.locked and '1' or '0', 'said_life', r.said_life, 'said_n',
    hex(r.said_n), 'kept', hex(r.kept), 'best_life', r.best_life, 'best_n', hex(r.best_n), 'behind', fmt('%.0f', r.behind))
end

local function create(room, unsettled)
  call('SADD', P .. 'rooms', room)
  local r = { name = room, life = new_life(), n = 0, tag = NOTHING, bytes = 0, unsettled = unsettled, locked = false,
    said_life = NOTHING, said_n = 0, kept = 0, best_life = NOTHING, best_n = 0, behind = 0 }
  save(r)
  return r
end

local tags = 0
local function append(r, kind, payload)
  tags = tags + 1
  local tag = seed .. fmt('%04x', tags)
  local n, log = r.n + 1, P .. 'log:' .. r.name
  local entry = r.life .. hex(n) .. tag .. r.tag .. kind .. payload
  call('XADD', log, fmt('%.0f', n) .. '-1', 'e', entry)
  call('PEXPIRE', log, LOG_MS)
  r.n, r.tag, r.bytes = n, tag, r.bytes + #entry
  local kept = call('XLEN', log)
  if kept == 1 then r.bytes = #entry end
  while kept > 1 and (kept > LOG_ENTRIES or r.bytes > LOG_BYTES) do
    local first = call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    call('XDEL', log, first[1])
    r.bytes, kept = r.bytes - #first[2][2], kept - 1
  end
  save(r)
  call('PUBLISH', log, entry)
end

-- A seat: resumable, away (a digit each); number, version, until (16 hex digits each); who (32, or dashes); owner; user (its length
-- in 4 hex digits, or ffff); meta (its length in 8, or ffffffff). An owner: incarnation (16), length of the name (2), name.
local function parse(text)
  local name_bytes = int(text:sub(99, 100))
  return { resumable = text:sub(1, 1) == '1', away = text:sub(2, 2) == '1', number = int(text:sub(3, 18)),
    version = int(text:sub(19, 34)), who = text:sub(51, 82), owner = text:sub(83, 100 + name_bytes), profile = 101 + name_bytes }
end

local function own(r, owner, change)
  local key = P .. 'owned:' .. owner
  local seats = call('HINCRBY', key, r.name, change)
  if change > 0 and seats == change then
    call('SADD', P .. 'owners', owner)
  elseif seats <= 0 then
    call('HDEL', key, r.name)
    if call('EXISTS', key) == 0 then call('SREM', P .. 'owners', owner) end
  end
end

local function put(r, peer, text)
  call('HSET', P .. 'seats:' .. r.name, peer, text)
end

local function remove(r, peer, departure, reaped)
  local text = call('HGET', P .. 'seats:' .. r.name, peer)
  if not text then return end
  call('HDEL', P .. 'seats:' .. r.name, peer)
  own(r, parse(text).owner, -1)
  append(r, 'L', peer .. departure .. (reaped or ''))
end

-- Peers whose seat the test takes, with the earliest first.
local function find(r, test)
  local all, found = call('HGETALL', P .. 'seats:' .. r.name), {}
  for at = 1, #all, 2 do
    local seat = parse(all[at + 1])
    if test(seat) then found[#found + 1] = { all[at], seat.number, all[at + 1], seat } end
  end
  table.sort(found, function(a, b) return a[2] < b[2] or (a[2] == b[2] and a[1] < b[1]) end)
  return found
end

local function end_if_empty(r)
  if r.unsettled or call('HLEN', P .. 'seats:' .. r.name) > 0 then return end
  if now >= r.kept or is_void(r.name, r.locked) then
    drop(r.name)
  else
    call('ZADD', P .. 'kept', r.kept, r.name)
  end
end

local function snapshot(r)
  local done, all = {}, call('HGETALL', P .. 'room:' .. r.name)
  for at = 1, #all, 2 do
    if all[at]:sub(1, 2) == 'd:' then
      done[#done + 1] = all[at]:sub(3)
      done[#done + 1] = all[at + 1]
    end
  end
  local parted = forked and call('SCARD', P .. 'stood:' .. r.name) + r.behind > 1
  return { r.life, hex(r.n), r.tag, r.best_life, hex(r.best_n), parted and '1' or '0', r.locked and '1' or '0', r.said_life,
    hex(r.said_n), call('SMEMBERS', P .. 'reaped:' .. r.name), done, call('HGETALL', P .. 'seats:' .. r.name),
    call('HGETALL', P .. 'bans:' .. r.name) }
end

-- The first entry of a life that began with assertions: everybody goes on from it, whenever it is heard of.
local function settle(r)
  if not r or not r.unsettled then return end
  r.unsettled = false
  local cap = int(call('HGET', P .. 'room:' .. r.name, 'cap') or 'ffffffff')
  local gone = {}
  for _, peer in ipairs(call('SMEMBERS', P .. 'left:' .. r.name)) do gone[peer] = true end
  local reaped = {}
  for _, owner in ipairs(call('SMEMBERS', P .. 'reaped:' .. r.name)) do reaped[owner] = true end
  local kept = 0
  for _, found in ipairs(find(r, function() return true end)) do
    local peer, seat = found[1], found[4]
    local banned = int(call('HGET', P .. 'bans:' .. r.name, seat.who) or '0') > now
    -- Whoever asserted a banned one had not heard of the ban. Of seats given in two branches of a failover the later ones go.
    if gone[peer] or reaped[seat.owner] or banned or kept >= cap then
      call('HDEL', P .. 'seats:' .. r.name, peer)
      own(r, seat.owner, -1)
    else
      kept = kept + 1
    end
  end
  append(r, 'T', '')
  call('SET', P .. 'settled:' .. r.name, cmsgpack.pack(snapshot(r)))
end

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

-- Questions.

-- What follows the place that a node is at; or that there is no telling.
function run.check()
  local life, n, tag, heard = unpack(ARGV, FIRST)
  n, heard = int(n), int(heard)
  local r = load(name)
  if not r then return { 'gone' } end
  if less(r.life, life) then return { 'forked' } end
  if r.life ~= life then return { 'other', snapshot(r) } end
  local log = P .. 'log:' .. name
  local id = fmt('%.0f', n) .. '-1'
  local same = call('XRANGE', log, id, id)[1]
  local another = same and same[2][2]:sub(33, 48) ~= tag
  if heard > r.n or another or (n == r.n and tag ~= r.tag) then return { 'forked' } end
  local since = call('XRANGE', log, '(' .. id, '+')
  if n <= r.n and n + #since ~= r.n then return { 'other', snapshot(r) } end
  local answer = { 'since' }
  for at, entry in ipairs(since) do answer[at + 1] = entry[2][2] end
  return answer
end

-- The room as it is, for whoever can do nothing with an entry of its log.
function run.fresh()
  local r = load(name)
  if not r then return { 'gone' } end
  return { 'other', snapshot(r) }
end

-- Which of these rooms have come further, or elsewhere.
function run.heads()
  local answer = { 'differ' }
  for at = FIRST, #ARGV, 4 do
    local head = call('HMGET', P .. 'room:' .. ARGV[at], 'life', 'n', 'tag')
    if head[1] ~= ARGV[at + 1] or head[2] ~= ARGV[at + 2] or head[3] ~= ARGV[at + 3] then
      answer[#answer + 1] = (at - FIRST) / 4
    end
  end
  return answer
end

function run.mine()
  local r, answer = load(name), { 'mine' }
  local seats = r and find(r, function(seat) return seat.owner == me end) or {}
  for at, found in ipairs(seats) do answer[at + 1] = found[1] end
  return answer
end

function run.owned()
  local answer = call('HKEYS', P .. 'owned:' .. ARGV[FIRST])
  table.insert(answer, 1, 'owned')
  return answer
end

function run.settled()
  settle(load(name))
  local r = load(name)
  if not r then return { 'none' } end
  local kept = call('GET', P .. 'settled:' .. name)
  return { 'settled', kept and cmsgpack.unpack(kept) or snapshot(r) }
end

-- After a loss of data.

function run.fork()
  if generation == tonumber(ARGV[FIRST]) then new_generation(true) end
  return { 'done' }
end

function run.assert()
  if left() == 0 then return { 'late' } end
  local r = load(name) or create(name, true)
  local at = FIRST
  local function next_one()
    at = at + 1
    return ARGV[at - 1]
  end
  local function each(take)
    for _ = 1, tonumber(next_one()) do take() end
  end
  local best_life, best_n, tag, cap = next_one(), int(next_one()), next_one(), next_one()
  if later(best_life, best_n, r.best_life, r.best_n) then r.best_life, r.best_n = best_life, best_n end
  if tag == '' then
    r.behind = r.behind + 1
  else
    call('SADD', P .. 'stood:' .. name, best_life .. hex(best_n) .. tag)
  end
  call('HSET', P .. 'room:' .. name, 'cap', cap)
  each(function() call('SADD', P .. 'reaped:' .. name, next_one()) end)
  each(function() call('SADD', P .. 'left:' .. name, next_one()) end)
  local locked, said_life, said_n = next_one() == '1', next_one(), int(next_one())
  if later(said_life, said_n, r.said_life, r.said_n) then
    r.locked, r.said_life, r.said_n = locked, said_life, said_n
  end
  each(function()
    local who, ends = next_one(), next_one()
    local there = call('HGET', P .. 'bans:' .. name, who)
    if not there or int(there) < int(ends) then call('HSET', P .. 'bans:' .. name, who, ends) end
  end)
  r.kept, r.n = math.max(r.kept, now + KEEP_MS), math.max(r.n, best_n)
  each(function()
    local peer, text = next_one(), next_one()
    local seat, there = parse(text), call('HGET', P .. 'seats:' .. name, peer)
    local was = there and parse(there)
    if not was or seat.version > was.version then
      if was then own(r, was.owner, -1) end
      put(r, peer, text)
      own(r, seat.owner, 1)
    end
  end)
  for _, found in ipairs(find(r, function() return true end)) do r.n = math.max(r.n, found[2]) end
  append(r, 'S', '')
  end_if_empty(r)
  return { 'done' }
end

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
