// The QR codes of the server's own page: `npm run page` makes clients/web/demo/qr.js of it. A file of its own, since few visitors need it.

export { default as encodeQR } from 'qr';
