"""Jobs, sweeps and findings that nobody measured: what is shown of them can be looked at without training.

Kernels of browser tests import them too, once the folder of the tests is on their path.
"""
