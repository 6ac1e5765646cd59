// A signaling relay on plain `ws`: what an engineer writes in an afternoon. Switchboard's frames without `welcome`.
'use strict'

const { WebSocketServer, WebSocket } = require('ws')

const rooms = new Map()
let last = 0

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.env.PORT) })

const send = (socket, frame) => {
  if (socket.readyState === WebSocket.OPEN) socket.send(frame)
}

const others = function * (socket) {
  for (const member of rooms.get(socket.room)?.values() ?? []) if (member !== socket) yield member
}

const join = (socket, room) => {
  socket.room = room
  if (!rooms.has(room)) rooms.set(room, new Map())
  const members = rooms.get(room)
  const peers = [...members.keys()].map((id) => ({ id, polite: true }))
  members.set(socket.id, socket)
  const news = JSON.stringify({ type: 'peer_joined', id: socket.id, polite: false })
  for (const member of others(socket)) send(member, news)
  send(socket, JSON.stringify({ type: 'joined', self: { id: socket.id }, room, peers }))
}

const signal = (socket, { to, kind, data }) => {
  const frame = JSON.stringify({ type: 'signal', from: socket.id, kind, data })
  if (to === '*') {
    for (const member of others(socket)) send(member, frame)
    return
  }
  const receiver = rooms.get(socket.room)?.get(to)
  if (receiver) send(receiver, frame)
  else send(socket, JSON.stringify({ type: 'error', code: 'peer_not_found' }))
}

const leave = (socket) => {
  const news = JSON.stringify({ type: 'peer_left', id: socket.id })
  for (const member of others(socket)) send(member, news)
  const members = rooms.get(socket.room)
  members?.delete(socket.id)
  if (members?.size === 0) rooms.delete(socket.room)
}

server.on('connection', (socket) => {
  socket.id = String(++last)
  socket.alive = true
  socket.on('error', () => {})
  socket.on('pong', () => { socket.alive = true })
  socket.on('close', () => leave(socket))
  socket.on('message', (text) => {
    const message = JSON.parse(text)
    if (message.type === 'join') join(socket, message.room)
    else if (message.type === 'signal') signal(socket, message)
  })
})

// The heartbeat of the package's own README.
setInterval(() => {
  for (const socket of server.clients) {
    if (!socket.alive) {
      socket.terminate()
    } else {
      socket.alive = false
      socket.ping()
    }
  }
}, 30000)
