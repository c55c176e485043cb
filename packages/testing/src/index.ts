export { Rig } from './rig.ts';
export type { Finished, Running, ToldEvent } from './rig.ts';
