"""What operators and the passing of time do to profiles: erase, export, unmerge, re-evaluate."""
