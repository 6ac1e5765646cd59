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
