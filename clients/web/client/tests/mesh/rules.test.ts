// The rules beneath the mesh, each for itself.

import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CONTROL_ID, MESSAGES_ID } from '../../src/mesh/connection.ts';
import { linkToRoom, randomRoom, roomFromLink } from '../../src/mesh/links.ts';
import { CandidateQueue, type ConnectionLabel, keepRole, labelOf, Negotiation, randomId } from '../../src/mesh/negotiation.ts';
import { pathOf } from '../../src/mesh/path.ts';
import { DEMANDS, DEMANDS_MS, Recovery } from '../../src/mesh/recovery.ts';
import { recognise } from '../../src/mesh/roster.ts';

describe('negotiation', () => {
  const offer = (connection: Partial<ConnectionLabel>) => ({
    type: 'offer',
    connection: { id: 'theirs', generation: 1, ...connection },
  });
  const answer = (connection: Partial<ConnectionLabel>) => ({
    type: 'answer',
    connection: { id: 'theirs', generation: 1, ...connection },
  });

  /** One that has sent an offer, and perhaps another one. */
  function offering(polite: boolean, offers = 1): Negotiation {
    const negotiation = new Negotiation('ours', polite);
    for (let nth = 0; nth < offers; nth += 1) {
      negotiation.begin();
      negotiation.label('offer');
    }
    return negotiation;
  }

  test('of two offers that cross, the impolite side’s counts', () => {
    expect(offering(true).judge(offer({}), 'have-local-offer')).toBe('apply');
    expect(offering(false).judge(offer({}), 'have-local-offer')).toBe('ignore');
    const making = new Negotiation('ours', false);
    making.makingOffer = true;
    expect(making.judge(offer({}), 'stable')).toBe('ignore');
    expect(new Negotiation('ours', false).judge(offer({}), 'stable')).toBe('apply');
  });

  test('an answer counts for the offer that it names, and only while that waits for it', () => {
    expect(offering(true).judge(answer({ answers: 1 }), 'have-local-offer')).toBe('apply');
    expect(offering(true, 2).judge(answer({ answers: 1 }), 'have-local-offer')).toBe('stale');
    expect(offering(true, 2).judge(answer({ answers: 2 }), 'have-local-offer')).toBe('apply');
    expect(offering(true).judge(answer({ answers: 1 }), 'stable')).toBe('stale');
    const again = offering(true);
    again.makingOffer = true; // it is about to be made anew
    expect(again.judge(answer({ answers: 1 }), 'have-local-offer')).toBe('stale');
    expect(offering(true).judge(answer({}), 'have-local-offer'), 'of a client of another make').toBe('apply');
  });

  test('a further offer keeps the role in DTLS, whoever answered last', () => {
    const sdp = (setup: string) =>
      `v=0\r\na=fingerprint:sha-256 00\r\na=setup:${setup}\r\na=mid:0\r\na=setup:${setup}\r\na=mid:1\r\n`;
    const [offered, active, passive] = ['actpass', 'active', 'passive'].map(sdp) as [string, string, string];
    const [asked, answered] = ['offer', 'answer'].map((type) => (sdp: string) => ({ type, sdp })) as [Told, Told];
    type Told = (sdp: string) => { type: string; sdp: string };
    expect(keepRole(offered, null, null), 'the first one').toBe(offered);
    expect(keepRole(offered, answered(active), asked(offered))).toBe(active);
    expect(keepRole(offered, answered(passive), asked(active))).toBe(passive);
    expect(keepRole(offered, asked(offered), answered(active))).toBe(passive);
    expect(keepRole(offered, asked(passive), answered(passive))).toBe(active);
    expect(keepRole(offered, asked(offered), answered('v=0\r\n')), 'nothing is said of it').toBe(offered);
    const later = answered(`${passive}a=setup:active\r\na=mid:2\r\n`);
    expect(keepRole(offered, asked(offered), later), 'what was added is bundled').toBe(active);
  });

  test('nothing is applied to another connection than the one that it was made for', () => {
    const negotiation = offering(true);
    expect(negotiation.judge(offer({ peer: 'a former one of ours' }), 'stable')).toBe('stale');
    expect(negotiation.judge(answer({ peer: 'a former one of ours', answers: 1 }), 'have-local-offer')).toBe('stale');
    negotiation.accept(answer({ answers: 1 }));
    expect(negotiation.peer).toBe('theirs');
    expect(negotiation.judge(offer({ id: 'another one' }), 'stable')).toBe('replaced');
    expect(negotiation.judge(answer({ id: 'another one' }), 'have-local-offer')).toBe('stale');
    expect(negotiation.judge(offer({ peer: 'ours' }), 'stable')).toBe('apply');
    expect(negotiation.takes({ id: 'another one', generation: 1 })).toBe(false);
    expect(negotiation.takes({ id: 'theirs', peer: 'a former one of ours', generation: 1 })).toBe(false);
    expect(negotiation.takes({ id: 'theirs', peer: 'ours', generation: 1 })).toBe(true);
    expect(negotiation.label().peer).toBe('theirs');
  });

  test('an answer of ours says to which offer; an offer says nothing of that', () => {
    const negotiation = new Negotiation('ours', true);
    negotiation.accept(offer({ generation: 7 }));
    negotiation.begin();
    expect(negotiation.label('answer')).toEqual({ id: 'ours', peer: 'theirs', generation: 1, answers: 7 });
    negotiation.begin();
    expect(negotiation.label('offer')).toEqual({ id: 'ours', peer: 'theirs', generation: 2 });
    expect(negotiation.isCurrent(1)).toBe(false);
    expect(negotiation.isCurrent(2)).toBe(true);
  });

  test('a label is read as it was written; what is none is not taken for one, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything({ maxDepth: 3 }), (connection) => {
        const label = labelOf({ connection });
        if (connection === undefined) expect(label).toEqual({ id: '', generation: 0 });
        else if (label) expect(connection).toMatchObject(label);
      }),
    );
    for (const data of [undefined, null, 7, 'text']) expect(labelOf(data)).toBeUndefined();
    expect(labelOf({ connection: { id: 'x'.repeat(65), generation: 1 } })).toBeUndefined();
    expect(labelOf({ connection: { id: 'a', generation: -1 } })).toBeUndefined();
    expect(labelOf({ connection: null })).toBeUndefined();
    expect(new Set(Array.from({ length: 100 }, randomId)).size).toBe(100);
  });

  test('candidates wait for their own description, in order, and not more than may', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ peer: fc.nat(2), fragment: fc.nat(3) }), { maxLength: 300 }),
        fc.nat(2),
        fc.nat(3),
        (all, peer, fragment) => {
          const queue = new CandidateQueue();
          const added = all.map((one, nth) => ({ ...one, candidate: String(nth), usernameFragment: `f${one.fragment}` }));
          for (const one of added) queue.add({ id: `p${one.peer}`, generation: 1 }, one);
          expect(queue.size).toBe(Math.min(all.length, 128));
          const expected = added.slice(-128).filter((one) => one.peer === peer && one.fragment === fragment);
          const sdp = `v=0\r\na=ice-ufrag:f${fragment}\r\na=ice-pwd:x\r\n`;
          expect(queue.take(`p${peer}`, sdp)).toEqual(expected);
          expect(queue.take(`p${peer}`, sdp)).toEqual([]);
        },
      ),
    );
  });
});

describe('recovery', () => {
  const reached = (polite: boolean) => {
    const recovery = new Recovery({ polite, timeoutMs: 15_000 });
    recovery.signals(true, 0);
    recovery.begun(0);
    return recovery;
  };

  test('whatever happens, tries are bounded, and only a stable connection begins the count anew', () => {
    const step = fc.oneof(
      fc.record({ state: fc.constantFrom('connecting', 'connected', 'disconnected', 'failed', 'closed') }),
      fc.record({ reachable: fc.boolean() }),
      fc.record({ offered: fc.constant(true) }),
      fc.record({ failed: fc.constant(true) }),
      fc.record({ wait: fc.nat(9_000) }),
    );
    fc.assert(
      fc.property(fc.boolean(), fc.array(step, { maxLength: 200 }), (polite, steps) => {
        const recovery = reached(polite);
        let now = 0;
        let over = false;
        let tries = 0;
        const tick = () => {
          const action = recovery.tick(now);
          if (action === 'restart' || action === 'rebuild') tries += 1;
          if (action === 'rebuild') recovery.begun(now);
          if (action === 'give_up') over = true;
          // A connection is never stable here: it is up for less than 10 s.
          expect(tries).toBeLessThanOrEqual(3);
        };
        for (const one of steps) {
          if ('state' in one) recovery.connection(one.state, now);
          if ('reachable' in one) recovery.signals(one.reachable, now);
          if ('offered' in one) recovery.offered(now);
          if ('failed' in one) recovery.negotiationFailed(now);
          if ('wait' in one) {
            now += one.wait;
            if (recovery.attempts > 0) recovery.connection('failed', now);
          }
          while (now >= recovery.dueAt && !over) tick();
          if (over) expect(recovery.dueAt).toBe(Infinity);
        }
      }),
    );
  });

  test('the impolite side acts at once when a connection has failed, the polite one later; both after the time for the first', () => {
    for (const [polite, later] of [
      [false, 0],
      [true, 5_000],
    ] as const) {
      const recovery = reached(polite);
      expect(recovery.dueAt).toBe(15_000 + later);
      recovery.connection('connected', 1_000);
      expect(recovery.dueAt).toBe(Infinity);
      recovery.connection('disconnected', 20_000);
      expect(recovery.dueAt, 'it may heal by itself').toBe(Infinity);
      recovery.connection('failed', 30_000);
      expect(recovery.dueAt).toBe(30_000 + later);
      expect(recovery.tick(recovery.dueAt)).toBe('restart');
    }
  });

  test('nothing is late while signals do not get through; a late timer gives nobody up', () => {
    const recovery = reached(false);
    recovery.signals(false, 1_000);
    expect(recovery.dueAt).toBe(Infinity);
    recovery.signals(true, 500_000);
    expect(recovery.dueAt).toBe(515_000);
    expect(recovery.tick(900_000)).toBeUndefined();
    expect(recovery.dueAt).toBe(915_000);
    expect(recovery.tick(915_100)).toBe('restart');
  });

  test('the reason is what was in the way last', () => {
    const recovery = reached(false);
    expect(recovery.reason).toBe('no_answer');
    recovery.described();
    expect(recovery.reason).toBe('ice_timeout');
    recovery.connection('failed', 1_000);
    expect(recovery.reason).toBe('ice_failed');
    recovery.negotiationFailed(2_000);
    expect(recovery.reason).toBe('negotiation_failed');
  });
});

test('who is who: by id, else by `who`, nobody twice, as a naive search finds it', () => {
  const known = fc.uniqueArray(
    fc.record({ id: fc.nat(8).map(String), who: fc.option(fc.nat(3).map(String), { nil: undefined }) }),
    {
      selector: ({ id }) => id,
    },
  );
  fc.assert(
    fc.property(known, known, (before, now) => {
      const present = now.map(({ id, who }) => ({ id, ...(who !== undefined && { who }) }));
      const found = recognise(before, present);
      const taken = new Set<unknown>();
      for (const one of before) if (now.some(({ id }) => id === one.id)) taken.add(one);
      for (const { id, who } of present) {
        let expected = before.find((one) => one.id === id);
        for (const one of before)
          if (!before.some((other) => other.id === id) && who !== undefined && one.who === who && !taken.has(one))
            expected = one;
        taken.add(expected);
        expect(found.get(id)).toBe(expected);
      }
    }),
  );
});

test('links: the fragment only, and what was put in comes out', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => name.trim() === name),
      (name) => {
        const link = linkToRoom(name, 'https://sb.example/calls/?room=other#room=former');
        expect(link.startsWith('https://sb.example/calls/#room=')).toBe(true);
        expect(roomFromLink(link)).toBe(name.normalize());
      },
    ),
  );
  expect(roomFromLink('https://sb.example/?room=no')).toBeNull();
  expect(roomFromLink('https://sb.example/room/no#name=no')).toBeNull();
  expect(roomFromLink(), 'where there is no page').toBeNull();
  expect(randomRoom()).toMatch(/^[a-z]+-[a-z]+-[0-9a-z]{13}$/);
  expect(new Set(Array.from({ length: 50 }, randomRoom)).size).toBe(50);
});

test('the path out of statistics, as Chromium and as Firefox tell them', () => {
  const ends: [string, object][] = [
    ['l', { type: 'local-candidate', candidateType: 'relay', protocol: 'udp' }],
    ['r', { type: 'remote-candidate', candidateType: 'host', protocol: 'udp' }],
  ];
  const pair = { type: 'candidate-pair', localCandidateId: 'l', remoteCandidateId: 'r', currentRoundTripTime: 0.025 };
  const expected = { local: 'relay', remote: 'host', relayed: true, protocol: 'udp', rttMs: 25 };
  expect(pathOf([...ends, ['p', pair], ['t', { type: 'transport', selectedCandidatePairId: 'p' }]])).toEqual(expected);
  expect(pathOf([...ends, ['p', { ...pair, selected: true }]])).toEqual(expected);
  expect(pathOf([...ends, ['p', pair]]), 'one that is not in use').toBeUndefined();
  expect(pathOf([])).toBeUndefined();
});

test('what docs/protocol.md says of the label of a connection is what is sent, and no bound of it differs', () => {
  const document = readFileSync(new URL('../../../../../docs/protocol.md', import.meta.url), 'utf8');
  const [, section = ''] = /### Which connection is meant\n(.*?)\n## /s.exec(document) ?? [];
  const fields = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, field]) => field);
  const [ours, theirs] = [new Negotiation('ours', true), new Negotiation('theirs', false)];
  ours.begin();
  theirs.accept({ type: 'offer', connection: ours.label('offer') });
  expect(Object.keys(theirs.label('answer')).sort()).toEqual(fields.sort());
  const [, longest] = /`id` \| string of at most (\d+) characters/.exec(section) ?? [];
  const label = (length: number) => labelOf({ connection: { id: 'x'.repeat(length), generation: 0 } });
  expect([label(Number(longest)) === undefined, label(Number(longest) + 1)]).toEqual([false, undefined]);
  expect(section).toContain(`(id ${CONTROL_ID})`);
  expect(section).toContain(`(id ${MESSAGES_ID})`);
  expect([DEMANDS, DEMANDS_MS], 'five new connections in ten seconds').toEqual([5, 10_000]);
});
