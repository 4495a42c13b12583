"""How a worker hears of work: bells of arq, and polling while none can arrive."""
