"""The Runs page: all runs in the cache, running jobs, and how to start, send and receive a run."""

from pages.parts.run_dialogs import show_dialog
from pages.parts.run_list import offer_first_run, show_failures, show_list
from pages.parts.run_live import show_live
from pages.parts.run_state import open_runs
from pages.shared.failures import explained

with explained("pages/runs.py"):
    view, listing = open_runs()
    show_live(view)
    show_failures(listing)
    if listing.runs or any(job.alive for job in listing.jobs):
        show_list(view, listing)
    else:
        offer_first_run()
    show_dialog(view, listing)
