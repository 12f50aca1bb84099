"""A participant of a stage made of aiortc, a WebRTC stack that shares no code with the server's or a browser's.

    /usr/bin/python3 peer.py publish <WHIP URL> <codec>     codec: H264 or VP8
    /usr/bin/python3 peer.py subscribe <subscribe URL>

The token is in RIVUS_TOKEN. What happens is printed as lines of JSON.

A publisher says {"joined": true} when it is connected, sends once a line comes on standard input, and leaves when
standard input ends. Its picture is dark on the left and bright on the right, its sound a tone.

A subscriber leaves by itself, once it has decoded enough or has waited for half a minute, and prints what it has seen
and heard.

Two things about aiortc 1.4 shape the tests. Its H.264 encoder does not answer keyframe requests, so whoever joins later
waits for the next IDR frame, up to 250 frames away; its VP8 encoder answers. And it passes over loopback addresses when
it gathers candidates, which gathering() below mends: a test stays on its machine.
"""

import asyncio
import fractions
import json
import math
import os
import sys
import urllib.error
import urllib.request
from urllib.parse import urljoin

import aioice.ice
import av
import numpy
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)

WIDTH, HEIGHT, RATE = 320, 240, 30
DARK, BRIGHT = 40, 200  # luma
SAMPLE_RATE, SAMPLES, PITCH, LOUDNESS = 48000, 960, 440, 8000
ENOUGH_FRAMES, ENOUGH_SOUND = 60, 50
PATIENCE = 30  # seconds


def say(**what):
    print(json.dumps(what), flush=True)


def gathering(use_ipv4, use_ipv6):
    return ["127.0.0.1"]


class Paced(MediaStreamTrack):
    """A track that produces one frame an interval, from the moment in which it is started."""

    def __init__(self, interval):
        super().__init__()
        self.interval = interval
        self.started = asyncio.Event()
        self.index = 0
        self.begin = 0.0

    async def recv(self):
        await self.started.wait()
        loop = asyncio.get_running_loop()
        if self.index == 0:
            self.begin = loop.time()
        await asyncio.sleep(self.begin + self.index * self.interval - loop.time())
        frame = self.frame(self.index)
        self.index += 1
        return frame


class Picture(Paced):
    kind = "video"

    def __init__(self):
        super().__init__(1 / RATE)
        luma = numpy.full((HEIGHT, WIDTH), DARK, numpy.uint8)
        luma[:, WIDTH // 2 :] = BRIGHT
        chroma = numpy.full((HEIGHT // 2, WIDTH), 128, numpy.uint8)
        self.yuv = numpy.concatenate([luma, chroma])

    def frame(self, index):
        yuv = self.yuv.copy()
        row = 4 * index % (HEIGHT - 8)
        yuv[row : row + 8, :WIDTH] = 120  # a bar that wanders down, so that frames differ
        frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
        frame.pts, frame.time_base = index * 90000 // RATE, fractions.Fraction(1, 90000)
        return frame


class Tone(Paced):
    kind = "audio"

    def __init__(self):
        super().__init__(SAMPLES / SAMPLE_RATE)

    def frame(self, index):
        t = numpy.arange(index * SAMPLES, (index + 1) * SAMPLES)
        wave = (LOUDNESS * numpy.sin(2 * math.pi * PITCH * t / SAMPLE_RATE)).astype(numpy.int16)
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, index * SAMPLES
        frame.time_base = fractions.Fraction(1, SAMPLE_RATE)
        return frame


def request(method, url, body=None):
    """Sends a request with the token and returns the answer's status, Location and body."""
    headers = {"Authorization": "Bearer " + os.environ["RIVUS_TOKEN"]}
    if body is not None:
        headers["Content-Type"] = "application/sdp"
        body = body.encode()
    asked = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return answer.status, answer.headers.get("Location", ""), answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, "", refused.read().decode()


async def join(pc, url):
    """Exchanges descriptions with the server, waits for the connection and returns the session's URL."""
    connected = asyncio.get_running_loop().create_future()

    @pc.on("connectionstatechange")
    def changed():
        if pc.connectionState == "connected" and not connected.done():
            connected.set_result(None)
        if pc.connectionState == "failed" and not connected.done():
            connected.set_exception(ConnectionError("the connection failed"))

    await pc.setLocalDescription(await pc.createOffer())
    status, location, answer = await asyncio.to_thread(request, "POST", url, pc.localDescription.sdp)
    if status != 201:
        raise ConnectionError(f"{status} {answer}")
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.wait_for(connected, PATIENCE)
    return urljoin(url, location)


async def publish(url, codec):
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tracks = [Picture(), Tone()]
    for track in tracks:
        pc.addTransceiver(track, "sendonly")
    offered = RTCRtpSender.getCapabilities("video").codecs
    pc.getTransceivers()[0].setCodecPreferences([c for c in offered if c.mimeType == "video/" + codec])
    session = await join(pc, url)
    say(joined=True)
    while await asyncio.to_thread(sys.stdin.readline):
        for track in tracks:
            track.started.set()
    status, _, _ = await asyncio.to_thread(request, "DELETE", session)
    await pc.close()
    say(left=status)


class Seen:
    """What a subscriber has decoded."""

    def __init__(self):
        self.frames = self.right = self.sound = self.width = 0
        self.level = 0.0
        self.enough = asyncio.Event()

    async def watch(self, track):
        while True:
            frame = await track.recv()
            if track.kind == "video":
                luma = frame.to_ndarray(format="gray")
                middle = luma.shape[1] // 2
                left, right = luma[:, : middle - 8].mean(), luma[:, middle + 8 :].mean()
                self.frames, self.width = self.frames + 1, frame.width
                self.right += abs(left - DARK) < 30 and abs(right - BRIGHT) < 30
            else:
                wave = frame.to_ndarray() / 32768
                self.sound, self.level = self.sound + 1, max(self.level, float(numpy.sqrt((wave**2).mean())))
            if self.frames >= ENOUGH_FRAMES and self.sound >= ENOUGH_SOUND:
                self.enough.set()


async def subscribe(url):
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver("video", "recvonly")
    pc.addTransceiver("audio", "recvonly")
    seen, watching = Seen(), []
    pc.on("track", lambda track: watching.append(asyncio.ensure_future(seen.watch(track))))
    session = await join(pc, url)
    say(joined=True)
    try:
        await asyncio.wait_for(seen.enough.wait(), PATIENCE)
    except asyncio.TimeoutError:
        pass
    for task in watching:
        task.cancel()
    status, _, _ = await asyncio.to_thread(request, "DELETE", session)
    await pc.close()
    say(frames=seen.frames, right=int(seen.right), width=seen.width, sound=seen.sound, level=seen.level, left=status)


async def main():
    aioice.ice.get_host_addresses = gathering
    try:
        await {"publish": publish, "subscribe": subscribe}[sys.argv[1]](*sys.argv[2:])
    except Exception as error:  # whoever started this reads lines of JSON
        say(error=f"{type(error).__name__}: {error}")


asyncio.run(main())
