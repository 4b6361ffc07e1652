"""A session of the demo with a tiny model that can convert a stream, and answers of its server."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from helpers.live_model import live_model, speech
from helpers.tiny_prior import WAVENET
from speechvq.audio.waveform import write_waveform
from speechvq.demo.server import DemoServer
from speechvq.demo.session import Session
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.prior import SequencePrior
from speechvq.speech.model import SpeechVQ
from speechvq.speech.speakers.speaker_facts import SpeakerFacts


def demo_session() -> Session:
    """A session with that model; bob has the most training speech."""
    facts = {"ada": SpeakerFacts("F", 0.5), "bob": SpeakerFacts("M", 12.5)}
    return Session(live_model(), Path("tiny"), facts)


def prior_of(model: SpeechVQ) -> SequencePrior:
    """A tiny prior over the codes of a model."""
    torch.manual_seed(0)
    config = model.config
    spec = CodeSpec(config.quantizer.num_codes, config.frame_rate, model.fingerprint())
    return SequencePrior(WAVENET, spec, ()).eval()


def write_speech(path: Path, seconds: float = 1.0) -> Path:
    """Write harmonics of a moving F0 with pauses."""
    write_waveform(path, np.clip(speech(seconds), -1, 1))
    return path


@asynccontextmanager
async def demo_client(session: Session, folder: Path) -> "AsyncIterator[TestClient[Any, Any]]":
    """A client of a server with a session."""
    async with TestClient(TestServer(DemoServer(session, folder).application())) as client:
        yield client


async def last_message(response: ClientResponse) -> dict[str, Any]:
    """The last line of an answer: a result or an error."""
    return dict(json.loads((await response.read()).splitlines()[-1]))
