// The connections that the rules of the mesh are tested with do as the standard says: with its own example of perfect negotiation
// (W3C webrtc, section 10.7) two of them come to agree, whatever happens when.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Channel } from '../../src/mesh/channel.ts';
import { FakeClock } from '../support/clock.ts';
import {
  DISCONNECTED_MS,
  FAILED_MS,
  FakeNetwork,
  type FakePeerConnection,
  type FakeTrack,
  fakeStream,
  passing,
} from '../support/rtc.ts';

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

interface End {
  pc: FakePeerConnection & RTCPeerConnection;
  polite: boolean;
  makingOffer: boolean;
  ignoreOffer: boolean;
  settingAnswer: boolean;
  other?: End;
}

/** Two that negotiate as the example does, over a signaling channel that keeps the order. */
function call(seed = 1) {
  const clock = new FakeClock();
  const network = new FakeNetwork(clock, seeded(seed));
  const troubles: unknown[] = [];
  const make = (polite: boolean) => {
    const pc = new network.RTCPeerConnection() as unknown as FakePeerConnection & RTCPeerConnection;
    const end: End = { pc, polite, makingOffer: false, ignoreOffer: false, settingAnswer: false };
    const send = (message: object) => {
      const text = JSON.stringify(message);
      clock.setTimeout(() => void receive(end.other as End, JSON.parse(text)), network.latencyMs);
    };
    pc.onnegotiationneeded = async () => {
      try {
        end.makingOffer = true;
        await pc.setLocalDescription();
        send({ description: { type: pc.localDescription?.type, sdp: pc.localDescription?.sdp } });
      } catch (error) {
        troubles.push(error);
      } finally {
        end.makingOffer = false;
      }
    };
    pc.onicecandidate = ({ candidate }: RTCPeerConnectionIceEvent) => send({ candidate: candidate?.toJSON() ?? null });
    const receive = async (
      to: End,
      { description, candidate }: { description?: RTCSessionDescriptionInit; candidate?: RTCIceCandidateInit },
    ) => {
      try {
        if (description) {
          const ready = !to.makingOffer && (to.pc.signalingState === 'stable' || to.settingAnswer);
          const collision = description.type === 'offer' && !ready;
          to.ignoreOffer = !to.polite && collision;
          if (to.ignoreOffer) return;
          to.settingAnswer = description.type === 'answer';
          await to.pc.setRemoteDescription(description);
          to.settingAnswer = false;
          if (description.type !== 'offer') return;
          await to.pc.setLocalDescription();
          const answer = { type: to.pc.localDescription?.type, sdp: to.pc.localDescription?.sdp };
          clock.setTimeout(
            () => void receive(to.other as End, { description: JSON.parse(JSON.stringify(answer)) }),
            network.latencyMs,
          );
        } else if (candidate) {
          const ignored = to.ignoreOffer; // by the time it is refused there may have been an answer
          await to.pc.addIceCandidate(candidate).catch((error: unknown) => {
            if (!ignored) throw error;
          });
        }
      } catch (error) {
        troubles.push(error);
      }
    };
    return end;
  };
  const [ada, grace] = [make(true), make(false)];
  [ada.other, grace.other] = [grace, ada];
  const playing = (end: End) =>
    (end.pc.getTransceivers() as unknown as { receiver: { playing?: FakeTrack } }[]).flatMap(
      ({ receiver }) => receiver.playing ?? [],
    );
  return { clock, network, ada, grace, troubles, playing };
}
const messages = (pc: FakePeerConnection & RTCPeerConnection, clock: FakeClock) =>
  new Channel(pc.createDataChannel('messages', { negotiated: true, id: 0 } as RTCDataChannelInit), { clock });

test('two connect, and what is sent meanwhile arrives', async () => {
  const { clock, network, ada, grace, troubles } = call();
  const [a, b] = [messages(ada.pc, clock), messages(grace.pc, clock)];
  const heard: unknown[] = [];
  b.on('message', ({ data }) => heard.push(data));
  void a.send('early');
  const named: unknown[] = [];
  grace.pc.ondatachannel = ({ channel }: RTCDataChannelEvent) => {
    new Channel(channel, { clock }).on('message', ({ data }) => named.push([channel.label, channel.ordered, data]));
  };
  void new Channel(ada.pc.createDataChannel('game', { ordered: false }), { clock }).send('move');
  await passing(clock, 600);
  expect([ada.pc.connectionState, grace.pc.connectionState]).toEqual(['connected', 'connected']);
  expect([heard, named, troubles]).toEqual([['early'], [['game', false, 'move']], []]);
  expect(network.open).toHaveLength(2);
  expect((await ada.pc.getStats()).size).toBe(4);
});

test('both renegotiate at once, with tracks that come and go: both end stable, and each plays what the other sends', async () => {
  const act = fc.record({
    who: fc.boolean(),
    what: fc.constantFrom('add', 'remove', 'replace', 'restart' as const),
    wait: fc.nat(120),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 12 }), fc.integer(), async (acts, seed) => {
      const { clock, ada, grace, troubles, playing } = call(seed);
      for (const { pc } of [ada, grace]) messages(pc, clock);
      for (const { who, what, wait } of acts) {
        const { pc } = who ? ada : grace;
        const sender = (pc.getSenders() as unknown as { track: FakeTrack | null; replaceTrack(track: FakeTrack): void }[]).find(
          ({ track }) => track,
        );
        const stream = fakeStream('video');
        if (what === 'add') pc.addTrack(stream.getTracks()[0]!, stream);
        else if (what === 'restart') pc.restartIce();
        else if (what === 'remove' && sender) pc.removeTrack(sender);
        else if (sender) sender.replaceTrack(stream.getTracks()[0]!);
        await passing(clock, wait);
      }
      await passing(clock, 1_500);
      expect(troubles).toEqual([]);
      for (const { pc } of [ada, grace]) expect([pc.signalingState, pc.connectionState]).toEqual(['stable', 'connected']);
      const sent = ({ pc }: End) =>
        (pc.getSenders() as unknown as { track: FakeTrack | null }[]).flatMap(({ track }) => track?.id ?? []);
      const ids = (tracks: FakeTrack[]) => tracks.map(({ id }) => id).sort();
      expect(ids(playing(ada))).toEqual(sent(grace).sort());
      expect(ids(playing(grace))).toEqual(sent(ada).sort());
    }),
    { numRuns: 60 },
  );
});

test('a path that is gone is missed, given up, and found again by an ICE restart; what waits arrives', async () => {
  const { clock, network, ada, grace, troubles } = call();
  const [a, b] = [messages(ada.pc, clock), messages(grace.pc, clock)];
  const heard: unknown[] = [];
  b.on('message', ({ data }) => heard.push(data));
  const states: string[] = [];
  ada.pc.onconnectionstatechange = () => states.push(ada.pc.connectionState);
  await passing(clock, 500);
  const cut = (gone: boolean) => {
    network.reaches = () => !gone;
    network.changed();
  };
  cut(true);
  void a.send(1);
  clock.pass(DISCONNECTED_MS + 100);
  cut(false);
  await passing(clock, 500);
  expect([states.splice(0), heard]).toEqual([['connecting', 'connected', 'disconnected', 'connected'], [1]]);
  cut(true);
  void a.send(2);
  clock.pass(DISCONNECTED_MS + FAILED_MS + 100);
  cut(false);
  await passing(clock, 500);
  expect([states.splice(0), heard]).toEqual([['disconnected', 'failed'], [1]]);
  ada.pc.restartIce();
  await passing(clock, 500);
  expect([states, heard]).toEqual([
    ['connecting', 'connected'],
    [1, 2],
  ]);
  expect(troubles).toEqual([]);
});

test('one that is closed ends its channels at the other end; here they just are closed', async () => {
  const { clock, ada, grace } = call();
  const [a, b] = [messages(ada.pc, clock), messages(grace.pc, clock)];
  const closed: string[] = [];
  a.on('close', () => closed.push('ada'));
  b.on('close', () => closed.push('grace'));
  await passing(clock, 500);
  ada.pc.close();
  await passing(clock, 100);
  expect(closed).toEqual(['grace']);
  await expect(a.send('late')).rejects.toMatchObject({ code: 'closed' });
  expect(closed).toEqual(['grace', 'ada']);
  clock.pass(DISCONNECTED_MS + FAILED_MS + 100);
  expect([ada.pc.connectionState, grace.pc.connectionState]).toEqual(['closed', 'failed']);
  await expect(ada.pc.setLocalDescription()).rejects.toMatchObject({ name: 'InvalidStateError' });
});

test('descriptions and candidates that do not belong here are refused', async () => {
  const { clock, network, ada, grace } = call();
  for (const { pc } of [ada, grace]) messages(pc, clock);
  await passing(clock, 500);
  const refused = async (promise: Promise<unknown>) => {
    const name = promise.then(
      () => 'done',
      (error: DOMException) => error.name,
    );
    await passing(clock, 50);
    return name;
  };
  const answer = { type: 'answer' as const, sdp: grace.pc.localDescription!.sdp };
  expect(await refused(ada.pc.setRemoteDescription(answer))).toBe('InvalidStateError');
  expect(await refused(ada.pc.setRemoteDescription({ type: 'offer', sdp: 'v=0' }))).toBe('OperationError');
  expect(await refused(ada.pc.addIceCandidate({ candidate: 'x', usernameFragment: 'nobody', sdpMid: '0' }))).toBe(
    'OperationError',
  );
  const fresh = new network.RTCPeerConnection();
  expect(await refused(fresh.addIceCandidate({ candidate: 'x', sdpMid: '0' }))).toBe('InvalidStateError');
  expect(await refused(fresh.createAnswer())).toBe('InvalidStateError');
});
