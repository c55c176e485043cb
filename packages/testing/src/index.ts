export { Rig, findingsOf } from './rig.ts';
export type { Finished, Running, ToldEvent } from './rig.ts';
export { makeMoodRows, writeTinyBert } from './tiny-bert.ts';
export { makeChatRows, writeTinyLlama } from './tiny-llama.ts';
