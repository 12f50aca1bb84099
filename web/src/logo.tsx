/** Logo is the product's mark and name, linked to the start page. */
export function Logo() {
  return (
    <a class="logo" href="/" aria-label="Rivus, start page">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" />
        <path d="M4 12c4-4 8-4 12 0s8 4 12 0M4 20c4-4 8-4 12 0s8 4 12 0" />
      </svg>
      rivus
    </a>
  );
}
