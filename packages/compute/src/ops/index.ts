export * from './attention.ts';
export * from './elementwise.ts';
export { fuse } from './fuse.ts';
export { packHalf, unpackHalf } from './half.ts';
export * from './losses.ts';
export * from './matmul.ts';
export * from './neural.ts';
export * from './structure.ts';
