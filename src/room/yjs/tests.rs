mod hostile;
mod oracle;
