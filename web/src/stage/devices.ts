/** Kinds of devices that a stage takes media from. */
export type Kind = 'camera' | 'microphone';

/** Why there is no media of a device, in words for the person in front of it. */
export class DeviceError extends Error {}

const names: Record<Kind, MediaDeviceKind> = { camera: 'videoinput', microphone: 'audioinput' };

/** available tells whether a page may use devices at all: browsers give them to secure pages only. */
export function available(): boolean {
  return window.isSecureContext && navigator.mediaDevices !== undefined;
}

export const insecure =
  'Browsers give camera and microphone only to pages that came over HTTPS or from this machine (127.0.0.1). You can still watch.';

/** list returns the devices of a kind. They have names once the browser was allowed to use one. */
export async function list(kind: Kind): Promise<MediaDeviceInfo[]> {
  if (!available()) return [];
  const all = await navigator.mediaDevices.enumerateDevices();
  return all.filter((d) => d.kind === names[kind] && d.deviceId !== '');
}

const picture: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
const voice: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** openBoth starts camera and microphone with one question to the person; undefined when that gives not both. */
export async function openBoth(ids: Partial<Record<Kind, string>>): Promise<Record<Kind, MediaStreamTrack> | undefined> {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      video: { ...picture, ...preferring(ids.camera) },
      audio: { ...voice, ...preferring(ids.microphone) },
    });
    return { camera: stream.getVideoTracks()[0]!, microphone: stream.getAudioTracks()[0]! };
  } catch {
    return undefined;
  }
}

/** open starts a device: the one with this id if it is there. Rejects with a DeviceError. */
export async function open(kind: Kind, id?: string): Promise<MediaStreamTrack> {
  if (!available()) throw new DeviceError(insecure);
  try {
    const stream = await navigator.mediaDevices.getUserMedia(
      kind === 'camera' ? { video: { ...picture, ...preferring(id) } } : { audio: { ...voice, ...preferring(id) } },
    );
    return stream.getTracks()[0]!;
  } catch (error) {
    throw new DeviceError(explain(kind, error));
  }
}

function preferring(id?: string): MediaTrackConstraints {
  return id ? { deviceId: { ideal: id } } : {};
}

/** openScreen asks which screen, window or tab to show. Undefined when the person has changed their mind. */
export async function openScreen(): Promise<MediaStreamTrack | undefined> {
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15, max: 30 } }, audio: false });
    const track = stream.getVideoTracks()[0]!;
    track.contentHint = 'detail';
    return track;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotAllowedError') return undefined;
    throw new DeviceError('This browser could not share the screen.');
  }
}

/** canShareScreen is false on phones. */
export function canShareScreen(): boolean {
  return available() && 'getDisplayMedia' in navigator.mediaDevices;
}

function explain(kind: Kind, error: unknown): string {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
      return `The browser may not use your ${kind}. Allow it beside the address, then choose it again.`;
    case 'NotFoundError':
    case 'OverconstrainedError':
      return `No ${kind} was found.`;
    case 'NotReadableError':
    case 'AbortError':
      return `Your ${kind} did not start. Another program may be using it.`;
    default:
      return `Your ${kind} cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
}
