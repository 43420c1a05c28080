"""Prints how this process handles SIGINT."""

import signal

print("default" if signal.getsignal(signal.SIGINT) is signal.default_int_handler else "other")
