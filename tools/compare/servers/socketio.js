// A signaling relay on Socket.IO, the way its documentation writes rooms and private messages.
'use strict'

const { createServer } = require('node:http')
const { Server } = require('socket.io')

const server = createServer()
const io = new Server(server, { transports: ['websocket'], serveClient: false, pingInterval: 30000, pingTimeout: 60000 })

// The documentation's advice on memory: let go of the first HTTP request.
io.engine.on('connection', (raw) => { raw.request = null })

io.on('connection', (socket) => {
  let room

  socket.on('join', (name, reply) => {
    room = name
    socket.join(room)
    socket.to(room).emit('peer_joined', socket.id)
    reply({ id: socket.id, others: io.sockets.adapter.rooms.get(room).size - 1 })
  })

  // A socket is in a room of its own name; that it shares ours is checked, as a relay must.
  socket.on('signal', ({ to, kind, data }) => {
    if (io.sockets.adapter.rooms.get(room)?.has(to)) io.to(to).emit('signal', { from: socket.id, kind, data })
    else socket.emit('refused')
  })

  socket.on('broadcast', ({ kind, data }) => {
    socket.to(room).emit('signal', { from: socket.id, kind, data })
  })

  socket.on('disconnect', () => {
    if (room !== undefined) io.to(room).emit('peer_left', socket.id)
  })
})

server.listen(Number(process.env.PORT), '127.0.0.1')
