// PeerServer as its package offers it. Only its limit on connections is raised, which would be what is measured.
'use strict'

const { PeerServer } = require('peer')

PeerServer({ host: '127.0.0.1', port: Number(process.env.PORT), path: '/', concurrent_limit: 100000 })
