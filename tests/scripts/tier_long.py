#!/usr/bin/env python3
"""Two tiers, all schemes, three rounds: luf against like-linux-6.12 as the shares are published, settling included."""

from common import main
from tier import LONG, body

main(lambda: body(LONG, "long"))
