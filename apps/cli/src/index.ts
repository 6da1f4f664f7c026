export { deploy } from './deploy.js';
export { runCli } from './program.js';
