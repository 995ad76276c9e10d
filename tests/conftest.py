"""What every test shares."""

import os

from hypothesis import settings

# A busy machine is slow, not wrong; CI tries the same examples every time, a developer new ones.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")
