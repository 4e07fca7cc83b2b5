// WebSocket echo with `ws`. bufferutil and utf-8-validate, which `ws` uses when they are installed, are not.
'use strict';

const { WebSocketServer } = require('ws');

const port = Number(process.argv[2]);
const server = new WebSocketServer({ host: '127.0.0.1', port, path: '/ws', backlog: 4096, perMessageDeflate: false });
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
