export { FakeSocket } from './fake-socket.js';
export { marketJson } from './market-json.js';
export { FaultyProxy } from './proxy.js';
export { seeded } from './random.js';
export { oddswireBinary, recordings, Server } from './server.js';
export { REPOSITORY, vectors, type Vector } from './vectors.js';
