export * from './elementwise.ts';
export * from './matmul.ts';
export * from './neural.ts';
export * from './structure.ts';
