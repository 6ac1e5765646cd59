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
