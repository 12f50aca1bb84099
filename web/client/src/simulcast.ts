/** One simulcast layer. */
export interface SimulcastLayer {
  width: number;
  height: number;
  maxBitrateKbps: number;
  maxFramerate: number;
}

/** The layers that simulcast uses when none are given. */
export const SimulcastLayerPresets: Readonly<Record<'DEFAULT_720' | 'DEFAULT_360' | 'DEFAULT_180', SimulcastLayer>> = {
  DEFAULT_720: { width: 1280, height: 720, maxBitrateKbps: 1700, maxFramerate: 30 },
  DEFAULT_360: { width: 640, height: 360, maxBitrateKbps: 700, maxFramerate: 20 },
  DEFAULT_180: { width: 320, height: 180, maxBitrateKbps: 200, maxFramerate: 15 },
};

/** What the encodings of a video depend on. */
export interface VideoWish {
  maxBitrate?: number;
  maxFramerate?: number;
  simulcast?: { enabled?: boolean; layers?: SimulcastLayer[] };
}

const defaultMaxBitrate = 2500;
const defaultMaxFramerate = 30;
const names = [['hi'], ['low', 'hi'], ['low', 'mid', 'hi']];

/**
 * The encodings of a video, lowest first: one without a name, or up to three simulcast layers `low`, `mid` and `hi`.
 * Simulcast is dropped when the picture is too small for a second layer, and when maxBitrate leaves no room for one.
 */
export function encodings(size: { width?: number; height?: number }, wish: VideoWish): RTCRtpEncodingParameters[] {
  const single = [
    { maxBitrate: (wish.maxBitrate ?? defaultMaxBitrate) * 1000, maxFramerate: wish.maxFramerate ?? defaultMaxFramerate },
  ];
  if (!wish.simulcast?.enabled) return single;
  const short = Math.min(size.width ?? 1280, size.height ?? 720);
  const layers = wish.simulcast.layers?.length ? byHeight(wish.simulcast.layers).slice(-3) : defaults(short, wish);
  const second = layers.at(-2);
  if (!second || (wish.maxBitrate ?? Infinity) < second.maxBitrateKbps) return single;
  return layers.map((layer, i) => ({
    rid: names[layers.length - 1]![i]!,
    scaleResolutionDownBy: Math.max(1, short / shortSide(layer)),
    maxBitrate: layer.maxBitrateKbps * 1000,
    maxFramerate: Math.min(layer.maxFramerate, wish.maxFramerate ?? Infinity),
  }));
}

/** The layers below a picture whose shorter side has so many pixels, and the picture itself. */
function defaults(short: number, wish: VideoWish): SimulcastLayer[] {
  const { DEFAULT_720, DEFAULT_360, DEFAULT_180 } = SimulcastLayerPresets;
  if (short < 360) return [];
  const preset = short < 540 ? DEFAULT_360 : DEFAULT_720;
  const maxBitrateKbps = wish.maxBitrate ?? preset.maxBitrateKbps;
  const top = { ...preset, maxBitrateKbps, width: short, height: short }; // only the shorter side counts
  return short < 720 ? [DEFAULT_180, top] : [DEFAULT_180, DEFAULT_360, top];
}

function shortSide(layer: SimulcastLayer): number {
  return Math.min(layer.width, layer.height);
}

function byHeight(layers: SimulcastLayer[]): SimulcastLayer[] {
  return [...layers].sort((a, b) => shortSide(a) - shortSide(b));
}
