// Made from clients/web/client by `npm run page`. Not to be edited.
import e from"qr";export{e as encodeQR};