DROP TABLE clients;
DROP TABLE channels;
