"""Operations on profiles by operators and by timers: erase, export, unmerge, re-evaluate."""
