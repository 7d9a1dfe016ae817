/** One visit to a room: everything that touches LiveKit, reported to a listener in the page's own terms. */

import {
  DataStreamError,
  type DisconnectReason,
  LocalAudioTrack,
  type LocalTrack,
  type Participant,
  RemoteAudioTrack,
  type RemoteTrack,
  Room,
  RoomEvent,
  type TextStreamReader,
  Track,
  type TrackPublication,
} from "livekit-client";
import type { Segment } from "./captions";
import { Meter } from "./meter";
import { type Agent, newestAgent, People } from "./people";
import type { Grant } from "./token";
import { parseTurnEvent, TURN_TOPIC, type TurnEvent } from "./turn-events";

const TRANSCRIPTION_TOPIC = "lk.transcription";
const AGENT_STATE = "lk.agent.state";
/** How long a lost connection may take to come back; livekit-client alone would try for the better part of a minute. */
export const BACK_WITHIN_MS = 20_000;

export interface SessionListener {
  /** An event of a turn of the visitor's, and the id of the agent who sent it. */
  onTurnEvent(event: TurnEvent, agent: string): void;
  /** The agent listened to somebody else. `here`: they are still in the room, since news of a turn may come late. */
  onOthersTurn(here: boolean): void;
  /** The other visitor, to whom the agent listened, has left. */
  onOtherLeft(): void;
  onSegment(segment: Segment): void;
  /** The agent, when it came, went, was replaced or changed its state; null when none is in the room. */
  onAgent(agent: Agent | null): void;
  onReconnecting(): void;
  onReconnected(): void;
  onDisconnected(reason: DisconnectReason | undefined): void;
  onSoundBlocked(blocked: boolean): void;
  /** The microphone was muted or unmuted; not always `byVisitor`: a device is unplugged, a permission revoked. */
  onMuted(muted: boolean, byVisitor: boolean): void;
}

export class Session {
  readonly #room = new Room({ disconnectOnPageLeave: true });
  readonly #people = new People();
  /** All that sounds here, and the meters of those voices that are the agent's. */
  readonly #voices = new Map<RemoteTrack, Meter | null>();
  /** Who is told, until the visit is over. */
  #listener: SessionListener | null;
  #mic: Meter | null = null;
  /** The microphone as the browser gave it. */
  #captured: readonly LocalTrack[] = [];
  /** The identity of the other visitor to whom the agent listened last. */
  #other: string | null = null;
  #wantsMuted = false;
  /** How many of the visitor's wishes to mute or unmute are on their way. */
  #wishes = 0;
  /** Runs while the connection is lost. */
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(listener: SessionListener) {
    this.#listener = listener;
    this.#listen();
  }

  /** Whether the visitor left, or the room closed. */
  get isOver(): boolean {
    return this.#listener === null;
  }

  /** Join the granted room with the microphone on; throws where that fails, or where the session is over by then. */
  async join(grant: Grant): Promise<void> {
    const visitor = this.#room.localParticipant;
    this.#throwIfOver();
    await this.#room.connect(grant.url, grant.token);
    this.#throwIfOver();
    // Not before: an attempt that fails ends in a disconnection too, and its error says more.
    this.#room.on(RoomEvent.Disconnected, (reason) => this.#onDisconnected(reason));
    this.#reportAgent();
    this.#captured = await visitor.createTracks({ audio: true });
    this.#throwIfOver();
    await Promise.all(this.#captured.map((track) => visitor.publishTrack(track)));
    this.#throwIfOver();
  }

  /** Whether the visitor wants to be muted: ahead of the microphone, which takes its time. */
  get wantsMuted(): boolean {
    return this.#wantsMuted;
  }

  async setMuted(muted: boolean): Promise<void> {
    const visitor = this.#room.localParticipant;
    this.#wantsMuted = muted;
    this.#wishes++;
    try {
      await visitor.setMicrophoneEnabled(!muted);
    } catch (error) {
      this.#wantsMuted = !visitor.isMicrophoneEnabled;
      throw error;
    } finally {
      this.#wishes--;
    }
  }

  async startSound(): Promise<void> {
    await this.#room.startAudio();
  }

  async leave(): Promise<void> {
    this.#end();
    await this.#room.disconnect();
  }

  /** How loud both sides are now. */
  levels(): { you: number; agent: number } {
    const voices = [...this.#voices.values()].map((meter) => meter?.rms() ?? 0);
    return { you: this.#mic?.rms() ?? 0, agent: Math.max(0, ...voices) };
  }

  #listen(): void {
    this.#room
      .on(RoomEvent.DataReceived, (payload, sender, _kind, topic) => this.#onData(payload, sender, topic))
      .on(RoomEvent.Reconnecting, () => this.#onReconnecting())
      .on(RoomEvent.SignalReconnecting, () => this.#onReconnecting())
      .on(RoomEvent.Reconnected, () => this.#onReconnected())
      .on(RoomEvent.AudioPlaybackStatusChanged, () => this.#listener?.onSoundBlocked(!this.#room.canPlaybackAudio))
      .on(RoomEvent.ParticipantConnected, () => this.#reportAgent())
      .on(RoomEvent.ParticipantDisconnected, ({ identity }) => this.#onGone(identity))
      .on(RoomEvent.ParticipantAttributesChanged, (_changed, participant) => this.#onAttributes(participant))
      .on(RoomEvent.LocalTrackPublished, ({ track }) => this.#onMicrophone(track))
      .on(RoomEvent.TrackMuted, (track, owner) => this.#onMuted(track, owner, true))
      .on(RoomEvent.TrackUnmuted, (track, owner) => this.#onMuted(track, owner, false))
      .on(RoomEvent.TrackSubscribed, (track, _publication, owner) => this.#onTrack(track, owner))
      .on(RoomEvent.TrackUnsubscribed, (track) => this.#onTrackGone(track));
    this.#room.registerTextStreamHandler(TRANSCRIPTION_TOPIC, (reader, { identity }) => void this.#read(reader, identity));
  }

  #onData(payload: Uint8Array, sender: Participant | undefined, topic: string | undefined): void {
    const event = topic === TURN_TOPIC ? parseTurnEvent(payload) : null;
    // The turns of an agent who has left are over.
    if (event === null || !sender?.isAgent) return;
    const owner = event.participant ?? null;
    this.#other = owner === this.#room.localParticipant.identity ? null : owner;
    if (this.#other === null) this.#listener?.onTurnEvent(event, sender.sid);
    else this.#listener?.onOthersTurn(this.#room.remoteParticipants.has(this.#other));
  }

  /** The user's segments come whole, again and again as they grow; the agent's come as one growing stream. */
  async #read(reader: TextStreamReader, identity: string): Promise<void> {
    const who = this.#people.speaker(identity, this.#room.localParticipant.identity);
    if (who === null) return;
    const id = reader.info.attributes?.["lk.segment_id"] ?? reader.info.id;
    let text = "";
    try {
      for await (const chunk of reader) {
        text += chunk;
        this.#listener?.onSegment({ id, who, text, final: false });
      }
    } catch (error) {
      // Of a speaker who left in mid-sentence, what has arrived is all.
      if (!(error instanceof DataStreamError)) throw error;
    }
    const final = who === "agent" || reader.info.attributes?.["lk.transcription_final"] === "true";
    this.#listener?.onSegment({ id, who, text, final });
  }

  /** A server that is gone may not have said so, and a server that hangs would be waited for without an end. */
  #onReconnecting(): void {
    this.#patience ??= setTimeout(() => this.#giveUp(), BACK_WITHIN_MS);
    this.#listener?.onReconnecting();
  }

  #giveUp(): void {
    this.#onDisconnected(undefined);
    void this.#room.disconnect();
  }

  /** LiveKit has not told who came and went meanwhile. */
  #onReconnected(): void {
    this.#stopWaiting();
    this.#reportAgent();
    this.#listener?.onReconnected();
  }

  #onDisconnected(reason: DisconnectReason | undefined): void {
    const listener = this.#listener;
    this.#end();
    listener?.onDisconnected(reason);
  }

  #onGone(identity: string): void {
    this.#reportAgent();
    if (identity === this.#other) this.#listener?.onOtherLeft();
  }

  #onAttributes(participant: Participant): void {
    if (participant.isAgent) this.#reportAgent();
  }

  #reportAgent(): void {
    const others = [...this.#room.remoteParticipants.values()];
    this.#people.see(others);
    const agent = newestAgent(others);
    const state = agent?.attributes[AGENT_STATE] ?? "initializing";
    this.#listener?.onAgent(agent === null ? null : { id: agent.sid, state });
  }

  #onMicrophone(track: unknown): void {
    if (!(track instanceof LocalAudioTrack)) return;
    this.#mic?.close();
    this.#mic = new Meter(track);
  }

  #onMuted(track: TrackPublication, owner: Participant, muted: boolean): void {
    if (!owner.isLocal || track.source !== Track.Source.Microphone) return;
    const byVisitor = this.#wishes > 0;
    if (!byVisitor) this.#wantsMuted = muted;
    this.#listener?.onMuted(muted, byVisitor);
  }

  #onTrack(track: RemoteTrack, owner: Participant): void {
    if (!(track instanceof RemoteAudioTrack)) return;
    document.body.append(track.attach());
    this.#voices.set(track, owner.isAgent ? new Meter(track) : null);
  }

  #onTrackGone(track: RemoteTrack): void {
    track.detach().forEach((element) => element.remove());
    this.#voices.get(track)?.close();
    this.#voices.delete(track);
  }

  #stopWaiting(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  #throwIfOver(): void {
    if (this.isOver) throw new Error("The session is over.");
  }

  /** The visit is over: nothing more is told, recorded or measured, and nothing sounds. */
  #end(): void {
    this.#listener = null;
    this.#stopWaiting();
    for (const track of this.#captured) track.stop();
    this.#mic?.close();
    this.#mic = null;
    for (const track of [...this.#voices.keys()]) this.#onTrackGone(track);
  }
}
