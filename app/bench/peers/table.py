"""The peers by the names that `--peer` takes."""

from collections.abc import Mapping

from app.bench.peers.llama import Llama
from app.bench.peers.protocol import Peer
from app.bench.peers.transformers_serve import TransformersServe
from app.bench.peers.vllm import Vllm

_ALL: tuple[Peer, ...] = (
    TransformersServe(),
    TransformersServe(continuous=True),
    Llama(quantised=False),
    Llama(quantised=True),
    Vllm(),
)
PEERS: Mapping[str, Peer] = {peer.name: peer for peer in _ALL}
