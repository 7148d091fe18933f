import { defineConfig } from 'vitepress';

export default defineConfig({
  title: 'Centrali Realtime',
  description: 'Self-hosted, authenticated realtime over Server-Sent Events',
  lang: 'en',
  cleanUrls: true,
  lastUpdated: false,
  themeConfig: {
    search: { provider: 'local' },
    nav: [
      { text: 'Quickstart', link: '/quickstart' },
      { text: 'Authentication', link: '/realtime/authentication' },
      { text: 'Errors', link: '/errors' },
    ],
    sidebar: [
      {
        text: 'Start',
        items: [
          { text: 'Quickstart', link: '/quickstart' },
          { text: 'First own app', link: '/first-app' },
          { text: 'Service accounts', link: '/service-accounts' },
        ],
      },
      {
        text: 'Realtime',
        items: [
          { text: 'Authentication', link: '/realtime/authentication' },
          { text: 'Other ways to bring a token', link: '/realtime/credentials' },
          { text: 'Renewal in place', link: '/realtime/renewal' },
          { text: 'Delivery', link: '/delivery' },
          { text: 'Filters', link: '/filters' },
          { text: 'When access ends', link: '/access-ends' },
          { text: 'Signals of providers', link: '/realtime/signals' },
          { text: 'Errors', link: '/errors' },
        ],
      },
      {
        text: 'Operate',
        items: [
          { text: 'Self-hosting', link: '/self-hosting' },
          { text: 'Behind a proxy', link: '/proxies' },
          { text: 'Configuration', link: '/configuration' },
          { text: 'Administration', link: '/administration' },
          { text: 'The audit log', link: '/realtime/audit' },
          { text: 'The command', link: '/command' },
        ],
      },
      { text: 'Decisions', items: [{ text: 'Records', link: '/adr/' }] },
    ],
    outline: [2, 3],
  },
});
