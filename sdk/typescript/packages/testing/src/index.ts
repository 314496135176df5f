export { marketJson } from './market-json.js';
export { REPOSITORY, vectors, type Vector } from './vectors.js';
