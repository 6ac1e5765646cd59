/**
 * Hooks for React 18 and 19. They can be imported and rendered where there is no browser; then there is no room.
 *
 * @packageDocumentation
 */
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { Peer } from './mesh/peer.ts';
import type { RemotePublication } from './mesh/publication.ts';
import { joinRoom, type Room } from './mesh/room.ts';
import type { RoomOptions, RoomSnapshot } from './mesh/room-types.ts';
import type { State } from './signaling/state.ts';

/** What `useRoom` knows. */
export interface RoomInUse {
  /** The room, once we are in it. The same object until another one is asked for. */
  room: Room | undefined;
  /** How the connection to the server is doing; `idle` before there is a room, and when none is asked for. */
  state: State;
  /** Why we did not get in: a `SignalingError`. */
  error: unknown;
}

const IDLE: State = { name: 'idle' };
const NOBODY: readonly Peer[] = [];
const nothing = (): undefined => undefined;
const subscribeToNothing = () => nothing;

/** What is read out of a room, now and whenever it changes. Before there is a room, and on a server, `otherwise`. */
function useSnapshot<T>(room: Room | undefined, read: (snapshot: RoomSnapshot) => T, otherwise: T): T {
  const get = () => (room ? read(room.getSnapshot()) : otherwise);
  return useSyncExternalStore(room?.subscribe ?? subscribeToNothing, get, () => otherwise);
}

/**
 * Goes into the room `name` while the component is mounted, and leaves it afterwards; `null`: into none. Another name, or another `url`, is
 * another room; of all other options those count that there are when it is joined, so that they may be written where they are used. Their
 * `signal` ends the stay while the component remains.
 *
 * @example
 * ```tsx
 * function Call({ name }: { name: string }) {
 *   const { room, state, error } = useRoom(name, { url: 'wss://sb.example/ws' });
 *   const peers = usePeers(room);
 *   if (error) return <p>This did not work.</p>;
 *   return <p>{room ? `${peers.length} others` : state.name}</p>;
 * }
 * ```
 */
export function useRoom(name: string | null | undefined, options: RoomOptions = {}): RoomInUse {
  const [found, setFound] = useState<{ room?: Room; error?: unknown }>({});
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const url = options.url?.toString();
  useEffect(() => {
    if (!name) return;
    const over = new AbortController();
    const { signal } = latest.current;
    const abort = () => over.abort(signal?.reason);
    let mounted = true;
    let entered: Room | undefined;
    const enter = async () => {
      // StrictMode mounts, unmounts and mounts again within one step: the first of them connects to nothing.
      await Promise.resolve();
      if (!mounted) return;
      if (signal?.aborted) abort();
      signal?.addEventListener('abort', abort);
      try {
        entered = await joinRoom(name, { ...latest.current, ...(url !== undefined && { url }), signal: over.signal });
        if (mounted) setFound({ room: entered });
        else await entered.leave();
      } catch (error) {
        if (mounted) setFound({ error });
      }
    };
    void enter();
    return () => {
      mounted = false;
      signal?.removeEventListener('abort', abort);
      over.abort();
      setFound({});
      void entered?.leave();
    };
  }, [name, url]);
  const { room, error } = found;
  return { room, state: useSnapshot(room, ({ state }) => state, IDLE), error };
}

/** Those who are in the room; renders anew whenever anything about any of them changes. */
export function usePeers(room: Room | undefined): readonly Peer[] {
  return useSnapshot(room, ({ peers }) => peers, NOBODY);
}

/** Which of a peer's tracks is meant. */
export interface TrackChoice {
  /** Sound or picture. */
  kind: 'audio' | 'video';
  /** The publication's name: `screen`, say. By default the first that has such a track. */
  name?: string | undefined;
}

/** A peer's track, and what it belongs to. */
export interface TrackInUse {
  /** For `srcObject`; it has all of the publication's tracks. */
  stream: MediaStream | undefined;
  /** The track itself; undefined while the peer has none. */
  track: MediaStreamTrack | undefined;
  /** Whether the peer has muted it. */
  muted: boolean;
}

/**
 * A track that a peer publishes, as soon as it does, and for as long.
 *
 * @example
 * ```tsx
 * function Tile({ room, peer }: { room: Room; peer: Peer }) {
 *   const { stream, muted } = useTrack(room, peer, { kind: 'video' });
 *   const show = (video: HTMLVideoElement | null) => {
 *     if (video) video.srcObject = stream ?? null;
 *   };
 *   return <video ref={show} autoPlay playsInline hidden={muted} />;
 * }
 * ```
 */
export function useTrack(room: Room | undefined, peer: Peer, { kind, name }: TrackChoice): TrackInUse {
  const find = useCallback(
    ({ publications }: Peer): RemotePublication | undefined => {
      const has = (one: RemotePublication) => one.tracks.some((track) => track.kind === kind);
      return publications.find((one) => (name === undefined || one.name === name) && has(one));
    },
    [kind, name],
  );
  // All three are the same while nothing changes, and so the component is not rendered for nothing.
  const stream = useSnapshot(room, () => find(peer)?.stream, undefined);
  const track = useSnapshot(room, () => find(peer)?.tracks.find((one) => one.kind === kind), undefined);
  const muted = useSnapshot(room, () => find(peer)?.muted ?? false, false);
  return { stream, track, muted };
}
