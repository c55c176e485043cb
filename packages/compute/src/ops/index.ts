export * from './attention.ts';
export * from './elementwise.ts';
export * from './losses.ts';
export * from './matmul.ts';
export * from './neural.ts';
export * from './structure.ts';
