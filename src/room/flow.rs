//! What peers of other nodes send to those of this one: posted as any signal, behind the roster that names its sender. What its receiver
//! has no room for waits here; its node is told to send no more of that. What had left it by then is held, too, as much as may wait
//! for a receiver anyhow, and beyond that one share of each sender's; more is dropped, and told. So a receiver that does not read stops
//! whoever sends to it, and nobody else.

use std::{pin::Pin, sync::Arc, task, time::Duration};

use actix::{ActorFuture, AsyncContext, Context};
use tokio::time::{Interval, interval};

use super::{actor::Room, far_side::Pair};
use crate::{
    messages::{
        Busy, Load, Mark, Note,
        cluster::{Ask, Flow, FlowState, Receiving},
        session::{Deliver, Member, Posted},
    },
    protocol::PeerId,
    telemetry::{self, RelayOutcome},
};

/// How often it is said again that signals wait: what is said may be lost.
const SAY_AGAIN: Duration = Duration::from_secs(1);

impl Room {
    /// Posts a signal from another node. The roster first: who sends it may have joined in this turn.
    pub(super) fn receive(&mut self, receiving: Receiving, ctx: &mut Context<Self>) {
        self.notify();
        let Receiving { from, to, kind, frame, done, .. } = receiving;
        let Some(sender) = self.find(from).cloned() else {
            return telemetry::tally(|t| t.relays.add(RelayOutcome::Stray));
        };
        for to in to {
            let signal = Deliver { from, kind, frame: frame.clone(), read_at: None, mark: Mark::default() };
            self.receive_one(&sender, to, signal, ctx);
        }
        drop(done);
    }

    fn receive_one(&mut self, sender: &Member, to: PeerId, signal: Deliver, ctx: &mut Context<Self>) {
        let Some(receiver) = self.find(to).cloned() else { return };
        let (pair, Some(far)) = ((signal.from, to), &mut self.far) else { return };
        if far.waiting.pairs.contains_key(&pair) {
            return self.keep(pair, signal);
        }
        match receiver.post_signal(signal.clone(), &sender.kill_switch, &far.bounds) {
            Posted::Busy(Busy::Waits | Busy::StillWaits) => {
                self.keep(pair, signal);
                self.say_flow(pair, FlowState::Waits);
                self.watch(ctx);
            }
            Posted::Busy(Busy::Away) => self.say_flow(pair, FlowState::Dropped),
            Posted::Taken | Posted::Full | Posted::Gone => {}
        }
    }

    /// Behind what waits already, if there is room for it.
    fn keep(&mut self, pair: Pair, signal: Deliver) {
        let Some(far) = &mut self.far else { return };
        let (more, bound) = (Load::frame(signal.frame.as_bytes().len()), far.bounds.connected);
        let all = far.waiting.of(pair.1) + more;
        let queue = far.waiting.pairs.entry(pair).or_default();
        let load = queue.load + more;
        if queue.signals.is_empty() || load.fits(bound.share) || all.fits(bound.signals) {
            queue.signals.push_back(signal);
            queue.load = load;
        } else {
            telemetry::tally(|t| t.relays.add(RelayOutcome::Busy));
            self.say_flow(pair, FlowState::Dropped);
        }
    }

    fn say_flow(&self, (from, to): Pair, state: FlowState) {
        if let Some(far) = &self.far {
            far.asks.ask(Ask::Flow(Flow { room: self.name.clone(), from, to, state }));
        }
    }

    /// Has somebody look after what waits.
    fn watch(&mut self, ctx: &mut Context<Self>) {
        if let Some(far) = &mut self.far
            && !std::mem::replace(&mut far.waiting.is_watched, true)
        {
            ctx.spawn(Watch(interval(SAY_AGAIN)));
        }
    }

    /// Receivers may have room for what this one sends.
    fn flow_on(&mut self, sender: &Arc<Member>) {
        let Some(far) = &self.far else { return };
        let pairs: Vec<_> = far.waiting.pairs.keys().filter(|(from, _)| *from == sender.peer).copied().collect();
        for pair in pairs {
            let Some(receiver) = self.find(pair.1).cloned() else { continue };
            let Some(far) = &mut self.far else { return };
            let Some(queue) = far.waiting.pairs.get_mut(&pair) else { continue };
            while let Some(signal) = queue.signals.front() {
                let posted = receiver.post_signal(signal.clone(), &sender.kill_switch, &far.bounds);
                if let Posted::Busy(Busy::Waits | Busy::StillWaits) = posted {
                    break;
                }
                queue.load = queue.load.saturating_sub(Load::frame(signal.frame.as_bytes().len()));
                queue.signals.pop_front();
                if let Posted::Busy(Busy::Away) = posted {
                    far.asks.ask(Ask::Flow(Flow {
                        room: self.name.clone(),
                        from: pair.0,
                        to: pair.1,
                        state: FlowState::Dropped,
                    }));
                }
            }
            if queue.signals.is_empty() {
                far.waiting.pairs.remove(&pair);
                self.say_flow(pair, FlowState::Flows);
            }
        }
    }
}

/// Looks after what waits, until nothing does.
struct Watch(Interval);

impl ActorFuture<Room> for Watch {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        room: &mut Room,
        _: &mut Context<Room>,
        cx: &mut task::Context<'_>,
    ) -> task::Poll<()> {
        let Some(far) = &room.far else { return task::Poll::Ready(()) };
        let mut senders: Vec<_> = far.waiting.pairs.keys().map(|(from, _)| *from).collect();
        senders.sort_unstable();
        senders.dedup();
        for from in senders {
            let Some(sender) = room.find(from).cloned() else { continue };
            // Before it is looked, or what is said in between is lost.
            sender.kill_switch.register(cx.waker());
            if sender.kill_switch.take_notes().has(Note::InboxReady) {
                room.flow_on(&sender);
            }
        }
        while self.0.poll_tick(cx).is_ready() {
            let pairs = room.far.iter().flat_map(|far| far.waiting.pairs.keys().copied());
            for pair in pairs.collect::<Vec<_>>() {
                room.say_flow(pair, FlowState::Waits);
            }
        }
        let Some(far) = &mut room.far else { return task::Poll::Ready(()) };
        if !far.waiting.pairs.is_empty() {
            return task::Poll::Pending;
        }
        far.waiting.is_watched = false;
        task::Poll::Ready(())
    }
}
