//! Histories: what clients do, and what breaks.

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{
    event::{Event, Moderate},
    kernel::Time,
    world::World,
};

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A client joins.
    Join,
    /// A client leaves.
    Leave,
    /// A client sends to one peer.
    Send,
    /// A client sends to all.
    Shout,
    /// A client's connection is gone.
    Cut,
    /// ... and it comes back to another node.
    Move,
    /// A client comes to another node while its connection to the first seems to be open.
    Steal,
    /// A node cannot reach Redis for a while.
    Link,
    /// A node's subscriptions are lost for a while, unnoticed.
    Silence,
    /// What a node sends to Redis takes long.
    Lag,
    /// A process stands still.
    Stop,
    /// A process dies.
    Crash,
    /// A node gives away what it has, and starts anew.
    Drain,
    /// Redis cannot be reached.
    Away,
    /// Redis starts anew, empty.
    Empty,
    /// The replica has all there is.
    Replicate,
    /// The replica takes over.
    Failover,
    /// Redis' clock is set.
    Clock,
    /// A client locks or opens its room.
    Lock,
    /// A client bans a person.
    Ban,
    /// Nothing for a while.
    Wait,
}

/// One step: how long after the one before, what, and three numbers that say to which client, node and room, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Milliseconds.
    pub pause: Time,
    /// What.
    pub act: Act,
    /// Below 1000 each.
    pub numbers: (usize, usize, u64),
}

impl Step {
    /// Milliseconds behind the step before.
    #[must_use]
    pub fn after(&self) -> Time {
        if self.act == Act::Wait { self.pause.max(30) } else { self.pause }
    }
}

/// What happens how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Profile {
    /// Everything.
    All,
    /// Moves and signals, and no fault.
    Calm,
    /// Dense signals around moves.
    Burst,
    /// Processes that stand still or die.
    Leases,
    /// Losses of data.
    Losses,
    /// Losses of data within the time of assertions of the one before, and clocks that are set.
    Several,
    /// Bans and locks, through all that.
    Moderation,
    /// Sessions that move while data are lost.
    Movers,
}

type Weights = &'static [(Act, u32)];

const ALL: Weights = &[
    (Act::Join, 140),
    (Act::Leave, 40),
    (Act::Send, 300),
    (Act::Shout, 140),
    (Act::Cut, 60),
    (Act::Move, 80),
    (Act::Steal, 50),
    (Act::Link, 30),
    (Act::Silence, 30),
    (Act::Lag, 20),
    (Act::Stop, 30),
    (Act::Crash, 20),
    (Act::Drain, 30),
    (Act::Away, 15),
    (Act::Empty, 8),
    (Act::Replicate, 15),
    (Act::Failover, 12),
    (Act::Clock, 5),
    (Act::Lock, 6),
    (Act::Ban, 6),
    (Act::Wait, 80),
];
const CALM: Weights = &[
    (Act::Join, 8),
    (Act::Leave, 1),
    (Act::Send, 40),
    (Act::Shout, 20),
    (Act::Move, 10),
    (Act::Steal, 14),
    (Act::Cut, 3),
    (Act::Wait, 6),
];
const BURST: Weights = &[(Act::Send, 60), (Act::Shout, 6), (Act::Steal, 3), (Act::Move, 1), (Act::Join, 1)];
const LEASES: Weights = &[
    (Act::Join, 14),
    (Act::Leave, 3),
    (Act::Send, 14),
    (Act::Shout, 8),
    (Act::Stop, 12),
    (Act::Link, 12),
    (Act::Lag, 4),
    (Act::Crash, 6),
    (Act::Wait, 14),
    (Act::Away, 4),
    (Act::Cut, 4),
];
const LOSSES: Weights = &[
    (Act::Join, 14),
    (Act::Leave, 4),
    (Act::Send, 20),
    (Act::Shout, 10),
    (Act::Empty, 5),
    (Act::Replicate, 8),
    (Act::Failover, 7),
    (Act::Link, 3),
    (Act::Silence, 3),
    (Act::Steal, 4),
    (Act::Wait, 8),
];
const SEVERAL: Weights = &[
    (Act::Join, 14),
    (Act::Leave, 3),
    (Act::Send, 20),
    (Act::Shout, 8),
    (Act::Empty, 8),
    (Act::Replicate, 10),
    (Act::Failover, 12),
    (Act::Clock, 5),
    (Act::Link, 5),
    (Act::Stop, 3),
    (Act::Crash, 2),
    (Act::Drain, 2),
    (Act::Steal, 4),
    (Act::Cut, 3),
    (Act::Wait, 4),
];
const MOVERS: Weights = &[
    (Act::Join, 8),
    (Act::Send, 14),
    (Act::Steal, 20),
    (Act::Cut, 8),
    (Act::Replicate, 10),
    (Act::Failover, 8),
    (Act::Link, 6),
    (Act::Drain, 2),
    (Act::Leave, 2),
    (Act::Wait, 6),
];
const MODERATION: Weights = &[
    (Act::Join, 20),
    (Act::Leave, 6),
    (Act::Send, 10),
    (Act::Lock, 14),
    (Act::Ban, 14),
    (Act::Steal, 5),
    (Act::Cut, 5),
    (Act::Empty, 3),
    (Act::Replicate, 5),
    (Act::Failover, 4),
    (Act::Crash, 3),
    (Act::Drain, 3),
    (Act::Link, 3),
    (Act::Wait, 12),
];

impl Profile {
    fn weights(self) -> Weights {
        match self {
            Self::All => ALL,
            Self::Calm => CALM,
            Self::Burst => BURST,
            Self::Leases => LEASES,
            Self::Losses => LOSSES,
            Self::Several => SEVERAL,
            Self::Moderation => MODERATION,
            Self::Movers => MOVERS,
        }
    }
}

/// The history of that seed.
#[must_use]
pub fn history(seed: u64, profile: Profile) -> Vec<Step> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed_0000_0000);
    let weights = profile.weights();
    let sum: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let lengths = [8, 14, 20, 30, 45];
    let length = if profile == Profile::Burst { 150 } else { lengths[rng.usize(..lengths.len())] };
    let pauses: &[Time] = if profile == Profile::Burst { &[0, 0, 1, 1] } else { &[0, 0, 1, 1, 2, 3, 5, 10, 40, 150] };
    let numbers = |rng: &mut fastrand::Rng| (rng.usize(..1000), rng.usize(..1000), rng.u64(..1000));
    let mut steps = Vec::new();
    for client in 0..rng.usize(2..=4) {
        let (_, node, z) = numbers(&mut rng);
        steps.push(Step { pause: rng.u64(0..=4), act: Act::Join, numbers: (client, node, z) });
    }
    steps.push(Step { pause: 60, act: Act::Wait, numbers: (0, 0, 0) });
    for _ in 0..length {
        let pause = pauses[rng.usize(..pauses.len())];
        let mut at = rng.u32(..sum);
        let chosen = weights.iter().find(|(_, weight)| {
            let found = at < *weight;
            at = at.saturating_sub(*weight);
            found
        });
        let act = chosen.map_or(Act::Wait, |(act, _)| *act);
        steps.push(Step { pause, act, numbers: numbers(&mut rng) });
    }
    steps
}

/// Does what the step says, where that is possible.
pub(crate) fn act(world: &mut World, step: Step) {
    world.tell(|| format!("STEP {step:?}"));
    let (x, y, z) = step.numbers;
    match step.act {
        Act::Wait => {}
        Act::Join | Act::Leave | Act::Send | Act::Shout | Act::Cut | Act::Move | Act::Steal | Act::Lock | Act::Ban => {
            let (clients, nodes) = (world.clients.len(), world.nodes.len());
            client_acts(world, step.act, x % clients, y % nodes, z);
        }
        Act::Link | Act::Silence | Act::Lag | Act::Stop | Act::Crash | Act::Drain => {
            let node = y % world.nodes.len();
            if world.nodes[node].alive {
                node_suffers(world, step.act, node, z);
            }
        }
        Act::Away | Act::Empty | Act::Replicate | Act::Failover | Act::Clock => redis_suffers(world, step.act, z),
    }
}

fn client_acts(world: &mut World, act: Act, c: usize, node: usize, z: u64) {
    let client = &mut world.clients[c];
    let number = usize::try_from(z).unwrap_or_default();
    match (act, client.socket) {
        (Act::Join, _) if !client.wanted && !client.joined => {
            (client.wanted, client.room, client.node) = (true, Some(number % world.rooms), node);
            if client.socket.is_some() {
                world.client_asks(c);
            }
            world.client_connects(c);
        }
        (Act::Leave, _) if client.wanted => world.client_leaves(c),
        (Act::Send, _) if !client.view.is_empty() => {
            let to = client.view.keys().nth(number % client.view.len()).copied();
            world.client_sends(c, to);
        }
        (Act::Shout, _) => world.client_sends(c, None),
        (Act::Cut, Some(socket)) => world.cut(socket, 400),
        (Act::Move, Some(socket)) if client.wanted => {
            client.node = node;
            world.cut(socket, 400);
        }
        (Act::Steal, Some(socket)) if client.joined && client.wanted => {
            // Its connection is dead, but the server does not know that yet.
            (client.node, client.joined, client.socket) = (node, false, None);
            let (up, of) = (world.sockets[socket].up, world.sockets[socket].node);
            world.kernel.close(up);
            let guard = world.guard(of);
            world.kernel.after(1500, guard, Event::SocketLost(socket));
            world.client_connects(c);
        }
        (Act::Lock, _) => world.client_moderates(c, Moderate::Lock(!z.is_multiple_of(3))),
        (Act::Ban, _) => {
            let who = world.clients[number % world.clients.len()].who;
            world.client_moderates(c, Moderate::Ban(who, 300 + 3 * z));
        }
        _ => {}
    }
}

fn node_suffers(world: &mut World, act: Act, n: usize, z: u64) {
    // The longest of what follows.
    let until = world.kernel.now + 4 * z + 200;
    world.hindered(n, until);
    match act {
        Act::Link => {
            world.nodes[n].link = false;
            world.disconnect(n);
            world.kernel.after(200 + 4 * z, None, Event::LinkUp(n));
        }
        Act::Silence => {
            world.lose_subscription(n);
            let guard = world.guard(n);
            world.kernel.after(1 + z % 200, guard, Event::Resubscribe(n));
        }
        Act::Lag => world.lag(n, 20 + z),
        Act::Stop if !world.nodes[n].stopped => {
            world.nodes[n].stopped = true;
            world.kernel.after(100 + 4 * z, None, Event::GoOn(n));
        }
        Act::Crash => {
            world.crash(n);
            world.kernel.after(50 + 3 * z, None, Event::Start(n));
        }
        Act::Drain if !world.nodes[n].draining && !world.nodes[n].stopped => world.drain(n),
        _ => {}
    }
}

fn redis_suffers(world: &mut World, act: Act, z: u64) {
    // Two servers' clocks differ by up to a second.
    let ahead = i64::try_from(z).unwrap_or_default() * 2 - 1000;
    match act {
        _ if !world.redis.up => {}
        Act::Away => redis_down(world, 100 + 3 * z),
        Act::Empty => {
            redis_down(world, 20 + z);
            world.redis.lose_all();
            world.moderation_after_a_loss();
        }
        Act::Replicate => world.redis.replicate(),
        Act::Failover if world.redis.fail_over(ahead) => {
            world.truth.clock_was_set = true;
            world.moderation_after_a_loss();
            redis_down(world, 20 + z);
        }
        Act::Clock => {
            world.redis.ahead = ahead;
            world.truth.clock_was_set = true;
        }
        _ => {}
    }
}

fn redis_down(world: &mut World, how_long: Time) {
    world.redis.up = false;
    for node in 0..world.nodes.len() {
        world.disconnect(node);
    }
    world.redis.channels.clear();
    world.kernel.after(how_long, None, Event::RedisUp);
}
