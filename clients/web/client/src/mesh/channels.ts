// The named channels of a room: those that the application has asked for. What peers open takes none of their places.

import type { Channel } from './channel.ts';
import { MeshError } from './error.ts';
import type { Pair } from './pair.ts';
import { RoomChannel, type RoomChannelOptions } from './room-channel.ts';

/** Most channels that the application may name. */
const CHANNELS = 64;

/** What the channels need of their room. */
export interface ChannelsRoom {
  pairs(): readonly Pair[];
  trouble(error: MeshError): void;
}

export class Channels {
  /** The channel behind `room.send`. */
  readonly messages: RoomChannel;
  readonly #room: ChannelsRoom;
  readonly #named = new Map<string, { channel: RoomChannel; init: RTCDataChannelInit | undefined }>();

  constructor(room: ChannelsRoom) {
    this.#room = room;
    this.messages = this.#of('').channel;
  }

  /** The channel of that name. Its options count where it is asked for first. */
  channel(name: string, { ordered, maxRetransmits }: RoomChannelOptions): RoomChannel {
    const known = this.#of(name);
    if (name === '' || known.init) return known.channel;
    const init: RTCDataChannelInit = {
      ...(ordered !== undefined && { ordered }),
      ...(maxRetransmits !== undefined && { maxRetransmits }),
    };
    known.init = init;
    for (const pair of this.#room.pairs()) pair.open(name, init);
    return known.channel;
  }

  /** Those that a new connection has. */
  get opened(): [name: string, RTCDataChannelInit][] {
    return [...this.#named].flatMap(([name, { init }]) => (init ? [[name, init]] : []));
  }

  /** Messages on that channel are the room's, if somebody listens to it, or for whoever does later. */
  listen(pair: Pair, name: string, channel: Channel): void {
    const { peer, held } = pair;
    const ours = () => this.#named.get(name)?.channel;
    channel.on('message', ({ data, bytes }) => {
      if (ours()?.receive({ peer, data }) || !held.add(name, data, bytes)) return;
      const text = 'nobody listens to what a peer says: the oldest is lost';
      this.#room.trouble(new MeshError('too_many', text, { peers: [pair.id] }));
    });
    channel.onRequest((data) => {
      const asked = ours();
      if (!asked) throw new Error('nobody has asked for this channel');
      return asked.answer({ peer, data });
    });
  }

  #of(name: string): { channel: RoomChannel; init: RTCDataChannelInit | undefined } {
    const known = this.#named.get(name);
    if (known) return known;
    // Beside that of `room.send`.
    if (this.#named.size > CHANNELS) throw new MeshError('too_many', `at most ${CHANNELS} channels`);
    const pairs = () => this.#room.pairs();
    const channel = new RoomChannel(name, {
      endOf: (peer, name) =>
        pairs()
          .find((pair) => pair.peer === peer)
          ?.endOf(name),
      peersOf: () => pairs().map(({ peer }) => peer),
      heldFor: (name) => pairs().flatMap(({ peer, held }) => held.take(name).map((data) => ({ peer, data }))),
    });
    const made = { channel, init: undefined };
    this.#named.set(name, made);
    return made;
  }
}
