// Preloaded into every Node peer, which is started with --expose-gc: on SIGUSR2 it collects garbage, so that memory is
// read without what V8 has not got round to freeing. It costs nothing until then.
'use strict'

process.on('SIGUSR2', () => global.gc())
