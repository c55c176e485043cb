import { expect, test } from 'vitest';
import { formatP, percent, sayP } from '../src/index.ts';

test('a probability has two digits, and small ones only a bound', () => {
  expect([0.03149, 0.5, 1, 0.00099].map(formatP)).toEqual(['0.031', '0.50', '1.0', '< 0.001']);
  expect([0.03149, 0.00099].map(sayP)).toEqual(['p = 0.031', 'p < 0.001']);
});

test('a share has one digit behind the point', () => {
  expect([0, 0.9357, 1].map(percent)).toEqual(['0.0 %', '93.6 %', '100.0 %']);
});
