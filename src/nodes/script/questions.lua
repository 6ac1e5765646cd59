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

-- Which of these rooms have come further, or elsewhere, and how far.
function run.heads()
  local answer = { 'differ' }
  for at = FIRST, #ARGV, 4 do
    local head = call('HMGET', P .. 'room:' .. ARGV[at], 'life', 'n', 'tag')
    if head[1] ~= ARGV[at + 1] or head[2] ~= ARGV[at + 2] or head[3] ~= ARGV[at + 3] then
      answer[#answer + 1] = { (at - FIRST) / 4, head[1] or NOTHING, head[2] or NOTHING, head[3] or NOTHING }
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
