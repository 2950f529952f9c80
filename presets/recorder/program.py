"""What a recording is made of."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass
class Recording:
    """One preset's: the program, what of it is used, and a function that uses it on a stage and returns the versions it printed."""

    name: str
    program: str
    features: list[str]
    run: Callable
