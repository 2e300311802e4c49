// Gradio runs each script of an HTML component as the body of a function with these names; two are functions themselves.
import js from '@eslint/js';
import globals from 'globals';

const given = { element: 'readonly', props: 'readonly', server: 'readonly', trigger: 'readonly', watch: 'readonly' };

export default [
  js.configs.recommended,
  {
    files: ['latentlab/**/*.js'],
    languageOptions: { sourceType: 'script', globals: { ...globals.browser, ...given } },
    rules: { eqeqeq: 'error', 'no-var': 'error', 'prefer-const': ['error', { destructuring: 'all' }] },
  },
];
