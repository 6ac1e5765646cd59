// A worker that waits: browsers slow the timers of hidden pages down to one tick a minute, those of workers they don't.

onmessage = ({ data: { id, ms } }) => setTimeout(() => postMessage(id), ms);
